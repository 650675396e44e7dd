"""The feature store: a row for each photo of the recipe, with the features that one family of models needs, scaled."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from pipeline.config import Config
from pipeline.errors import InputError
from pipeline.files import read_parquet

FeatureSet = Literal["none", "image", "objects", "image+objects"]
Method = Literal["standardise", "l2", "none"]

SCALINGS = b"scalings"
"""The key of the parquet schema's metadata under which the fitted scalings lie."""

CONSTANT = 1e-6
"""A column whose deviation is below this share of its mean holds float32's rounding, nothing to learn from."""


class StoreConfig(Config):
    """How features become the input of the models."""

    scaling: Method = Field(
        description="How feature vectors are scaled: each column to mean 0 and equal variance (standardise), each "
        "photo to length 1 (l2), or not at all (none)."
    )
    object_threshold: float = Field(ge=0, le=1, description="A detected object's probability below it counts as zero.")


@dataclass(frozen=True)
class Features:
    """The features of photos: `matrices` maps a name (image, objects) to (photos, numbers) float32 in photo order.

    scalings: how each kind was scaled; a kind that is not among them was not.
    """

    photos: pl.Series
    matrices: Mapping[str, np.ndarray]
    scalings: Mapping[str, "Scaling"] = field(default_factory=dict)

    def rows(self, photos: pl.Series) -> np.ndarray:
        """The rows (int64) of photos in the matrices. Raises InputError for a photo that is not in the store."""
        rows = photos.replace_strict(self.photos, range(len(self.photos)), default=None, return_dtype=pl.Int64)
        if rows.null_count():
            missing = photos.filter(rows.is_null())[0]
            raise InputError(f"Photo {missing!r} is not in the feature store: run the store stage on its recipe.")
        return rows.to_numpy()

    def unscaled(self, name: str, photos: pl.Series) -> np.ndarray:
        """What a kind of features was before it was scaled (`Scaling.invert`), (photos, numbers).

        Raises InputError for a photo that is not in the store.
        """
        matrix = self.matrices[name][self.rows(photos)]
        return self.scalings[name].invert(matrix) if name in self.scalings else matrix


@dataclass(frozen=True)
class Scaling:
    """A fitted scaling of one kind of features: enough to scale a new photo as those of the store were scaled."""

    method: Method
    threshold: float | None
    mean: list[float]
    scale: list[float]

    @classmethod
    def fit(cls, matrix: np.ndarray, method: Method, threshold: float | None) -> Self:
        """Fits to the photos of training posts, (photos, numbers). Only `standardise` has something to fit.

        Each column is divided by its deviation times the root of the number of columns: a vector's mean squared length
        is 1, as with l2, so that every context of a model starts, and learns, at the scale of the user factors.
        """
        if method != "standardise":
            return cls(method, threshold, [], [])
        matrix = clean(matrix, threshold)
        mean, deviation = matrix.mean(axis=0), matrix.std(axis=0)
        constant = deviation <= CONSTANT * np.abs(mean)
        scale = np.where(constant, 1.0, deviation) * np.sqrt(matrix.shape[1])
        return cls(method, threshold, mean.tolist(), scale.tolist())

    def apply(self, matrix: np.ndarray) -> np.ndarray:
        """Scales (photos, numbers) to float32. A constant column becomes zero where it has its constant value."""
        matrix = clean(matrix, self.threshold)
        match self.method:
            case "standardise":
                matrix = (matrix - self.mean) / self.scale
            case "l2":
                length = np.linalg.norm(matrix, axis=1, keepdims=True)
                matrix = matrix / np.where(length == 0, 1, length)
        return matrix.astype(np.float32)

    def invert(self, matrix: np.ndarray) -> np.ndarray:
        """Undoes `apply`, (photos, numbers) to float64, but for what lay below the threshold: that is zero.

        Of vectors scaled by `l2` only the direction is known, so they stay as they are: the order within a photo, and
        what is zero, are right all the same.
        """
        matrix = matrix.astype(np.float64)
        if self.method != "standardise":
            return matrix
        matrix = matrix * self.scale + self.mean
        # Nothing lies between zero and the threshold, so half of it tells the two apart whatever float32 rounded off.
        noise = np.maximum(CONSTANT * np.abs(self.mean), (self.threshold or 0) / 2)
        return np.where(np.abs(matrix) <= noise, 0.0, matrix)


def clean(matrix: np.ndarray, threshold: float | None) -> np.ndarray:
    """The matrix in float64, with numbers below the threshold (where there is one) set to zero."""
    matrix = matrix.astype(np.float64)
    return matrix if threshold is None else np.where(matrix < threshold, 0.0, matrix)


def feature_names(features: FeatureSet) -> tuple[str, ...]:
    """The kinds of features in a feature set: image and objects, one of them, or none."""
    return () if features == "none" else tuple(features.split("+"))


def build_store(
    features: Mapping[str, pl.DataFrame], photos: pl.Series, training_photos: pl.Series, config: StoreConfig
) -> pa.Table:
    """The store of one feature set: `photo` (sorted) and a fixed_size_list<float32> column for each kind of features.

    `features` maps a kind (image, objects) to a frame of photo and vector, `photos` are all photos of the recipe (they
    may repeat). Scalings are fitted on the distinct photos of training posts alone, and kept in the schema's metadata.
    Raises InputError for a photo that has no features.
    """
    photos, training_photos = photos.unique().sort(), training_photos.unique().sort()
    columns, scalings = {"photo": photos.to_arrow()}, {}
    for name, frame in features.items():
        threshold = config.object_threshold if name == "objects" else None
        scaling = Scaling.fit(vectors(frame, training_photos, name), config.scaling, threshold)
        matrix = scaling.apply(vectors(frame, photos, name))
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])
        scalings[name] = asdict(scaling)
    return pa.table(columns).replace_schema_metadata({SCALINGS: json.dumps(scalings)})


def vectors(frame: pl.DataFrame, photos: pl.Series, name: str) -> np.ndarray:
    """The vectors of photos, in their order, (photos, numbers). Raises InputError when one has none."""
    if frame.is_empty():
        raise InputError(
            f"There are no {name} features, because the source has no photos: keep those `models` whose features are "
            "none, and run `dvc repro report`, which runs only what they need."
        )
    found = pl.DataFrame({"photo": photos}).join(frame, on="photo", how="left", maintain_order="left")
    missing = found.filter(pl.col("vector").is_null())["photo"]
    if len(missing):
        raise InputError(
            f"Photo {missing[0]!r} has no {name} features ({len(missing)} such photos): run their extraction again."
        )
    return found["vector"].to_numpy()


def read_store(path: Path) -> Features:
    """The features in a store file. Raises InputError when the file is missing or is no store."""
    photos = read_parquet(path, ["photo"])["photo"]
    names = [name for name in pq.read_schema(path).names if name != "photo"]
    frame = read_parquet(path, names)
    return Features(photos, {name: frame[name].to_numpy() for name in names}, read_scalings(path))


def read_scalings(path: Path) -> dict[str, Scaling]:
    """The fitted scaling of each kind of features in a store file, to score photos that are not in it."""
    return {name: Scaling(**fitted) for name, fitted in json.loads(pq.read_schema(path).metadata[SCALINGS]).items()}
