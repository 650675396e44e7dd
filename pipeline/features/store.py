"""The feature store: a row for each photo of the recipe, with the vectors of one feature set, raw.

Scalings and the extractors' records lie in the file's metadata, so that a reader can scale as the models expect, and
knows the origin of the vectors. pyarrow is imported by what reads and writes the file.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.config import Config
from pipeline.data.schema import PHOTO, VECTOR
from pipeline.errors import ArtifactError, InputError
from pipeline.features.record import PLACE
from pipeline.features.scaling import Method, Scaling
from pipeline.features.unpacked import UnpackedVectors, outgrows_memory
from pipeline.files.matrices import header
from pipeline.files.parquet import read_metadata, read_parquet

if TYPE_CHECKING:
    import pyarrow as pa

SCALINGS, RECORDS = b"scalings", b"records"
"""The keys of the Parquet schema's metadata: fitted scalings and extractors' records, by extractor, as JSON."""


class StoreConfig(Config):
    """The scaling of features for the models."""

    scaling: Method = Field(
        description="The scaling of feature vectors: each column to mean 0 and equal variance (standardise), each "
        "photo to length 1 (l2), or not at all (none)."
    )
    threshold: float = Field(
        ge=0, le=1, description="Probabilities below it count as zero, where an extractor's numbers are probabilities."
    )


@dataclass(frozen=True)
class Features:
    """The features of photos by the extractors of a feature set.

    photos: the photos, sorted.
    raw: each extractor's vectors as it gave them, (photos, numbers) float32, by the extractor's name.
    scalings: the fitted scaling of each extractor; vectors of an extractor without one are taken as they are.
    records: the origin of the vectors, by the extractor's name.
    scaled: the vectors as the models take them, where they lie ready in files; None to scale them in memory.
    """

    photos: pl.Series
    raw: Mapping[str, np.ndarray]
    scalings: Mapping[str, Scaling] = field(default_factory=dict)
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scaled: Mapping[str, np.ndarray] | None = None

    @cached_property
    def matrices(self) -> Mapping[str, np.ndarray]:
        """The scaled vectors, (photos, numbers) float32, by the extractor's name: the inputs of the models."""
        if self.scaled is not None:
            return self.scaled
        return {
            name: self.scalings[name].apply(vectors) if name in self.scalings else vectors
            for name, vectors in self.raw.items()
        }

    @cached_property
    def hashes(self) -> Mapping[str, str]:
        """The SHA-256 of each extractor's scaled vectors, by its name; of a mapped file, that of its sealed header."""
        return {name: _hash(matrix) for name, matrix in self.matrices.items()}

    def rows(self, photos: pl.Series) -> np.ndarray:
        """Returns the rows (int64) of photos in the matrices. Raises ArtifactError for a photo that has none."""
        # By bisection: a table of hashes would take more memory than all names.
        order = self.photos.arg_sort()
        places = self.photos.gather(order).search_sorted(photos)
        rows = order.gather(places.set(places == len(order), None))
        found = self.photos.gather(rows).eq_missing(photos)
        if not found.all():
            raise ArtifactError(f"Photo {photos.filter(~found)[0]!r} is not in the feature store.")
        return rows.cast(pl.Int64).to_numpy()


def _hash(matrix: np.ndarray) -> str:
    digest = hashlib.sha256(f"{matrix.dtype} {matrix.shape}".encode())
    digest.update(header(Path(matrix.filename)) if isinstance(matrix, np.memmap) else np.ascontiguousarray(matrix))
    return digest.hexdigest()


def build_store(
    vectors: Mapping[str, pl.DataFrame],
    records: Mapping[str, Mapping[str, Any]],
    photos: pl.Series,
    training_photos: pl.Series,
    config: StoreConfig,
) -> "pa.Table":
    """Builds the store of a feature set: the photos (sorted) and a fixed_size_list<float32> column an extractor.

    vectors: for each extractor a frame of photo and vector. records: their origin. photos: all photos of the recipe,
    which may repeat. Scalings are fitted on the distinct photos of training posts alone. The threshold holds for an
    extractor whose record names the classes that its numbers are probabilities of; vectors of places are not scaled.
    Raises InputError for a photo without a vector.
    """
    import pyarrow as pa

    photos, training_photos = photos.unique().sort(), training_photos.unique().sort()
    columns, scalings = {PHOTO: photos.to_arrow()}, {}
    for name, frame in vectors.items():
        threshold = config.threshold if "classes" in records[name] else None
        # Zeros stay zeros where they stand for an unknown place.
        method = "none" if records[name].get("kind") == PLACE else config.scaling
        scaling = Scaling.fit(vectors_of(frame, training_photos, name), method, threshold)
        matrix = vectors_of(frame, photos, name)
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])
        scalings[name] = asdict(scaling)
    metadata = {SCALINGS: json.dumps(scalings), RECORDS: json.dumps(records, ensure_ascii=False)}
    return pa.table(columns).replace_schema_metadata(metadata)


def vectors_of(frame: pl.DataFrame, photos: pl.Series, extractor: str) -> np.ndarray:
    """Returns the vectors of photos in their order, (photos, numbers). Raises InputError when a photo has none."""
    if frame.is_empty():
        raise InputError(
            f"The extractor {extractor} has no vectors, because the source has no photos: only models that see no "
            "photo can be fitted."
        )
    found = pl.DataFrame({PHOTO: photos}).join(frame, on=PHOTO, how="left", maintain_order="left")
    missing = found.filter(pl.col(VECTOR).is_null())[PHOTO]
    if len(missing):
        raise ArtifactError(
            f"Photo {missing[0]!r} has no vector by the extractor {extractor} ({len(missing):,} such photos)."
        )
    return found[VECTOR].to_numpy()


def read_store(path: Path, unpacked: Path | None = None) -> Features:
    """Reads a store. Raises ArtifactError when the file is missing or is not a store.

    unpacked: the folder for vectors that do not fit memory, which are then mapped; None for memory in any case.
    """
    metadata = _metadata(path)
    scalings = {name: Scaling.from_json(fitted) for name, fitted in json.loads(metadata[SCALINGS]).items()}
    records = json.loads(metadata[RECORDS])
    if unpacked is not None and outgrows_memory(path):
        raw, scaled = (UnpackedVectors(path, unpacked, applied) for applied in ({}, scalings))
        return Features(read_parquet(path, [PHOTO])[PHOTO], raw, scalings, records, scaled)
    frame = read_parquet(path)
    raw = {name: frame[name].to_numpy() for name in frame.columns if name != PHOTO}
    return Features(frame[PHOTO], raw, scalings, records)


def read_records(path: Path) -> dict[str, dict[str, Any]]:
    """Reads the records in a store, by the extractor's name. Raises ArtifactError as `read_store` does."""
    return json.loads(_metadata(path)[RECORDS])


def _metadata(path: Path) -> Mapping[bytes, bytes]:
    metadata = read_metadata(path)
    if not {SCALINGS, RECORDS} <= metadata.keys():
        raise ArtifactError(f"{path} is not a feature store.")
    return metadata
