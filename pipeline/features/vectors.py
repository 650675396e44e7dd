"""Vectors that were computed elsewhere: a Parquet or NumPy file of your own, for which no pictures are needed."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.config import Config
from pipeline.data.schema import PHOTO
from pipeline.errors import InputError, SettingError, one_line
from pipeline.features.config import ExtractorConfig, ExtractorInputs
from pipeline.features.hashes import Sha256, checked_path
from pipeline.features.record import features_table
from pipeline.features.vector_table import read_table, rows_of

if TYPE_CHECKING:
    import pyarrow as pa


class PhotoList(Config):
    """The photos that the rows of a matrix belong to."""

    path: str = Field(
        min_length=1, description="A text file with the id of a photo on each line, in the order of the rows."
    )
    sha256: Sha256 | None = Field(description="The file's SHA-256; with null, the error states it.")


class VectorsConfig(ExtractorConfig):
    """Vectors of your own, one for each photo."""

    kind: Literal["vectors"] = Field(description="Vectors that were computed elsewhere.")
    path: str = Field(
        min_length=1,
        description="A Parquet file with columns photo and vector; or an .npy file, or a .bin file of float32 with its "
        "shape.txt, with a row for each photo.",
    )
    sha256: Sha256 | None = Field(description="The file's SHA-256; with null, the error states it.")
    photos: PhotoList | None = Field(description="The photos of the rows of an .npy or .bin file; null for Parquet.")

    def check(self) -> None:
        checked_path(Path(self.path), self.sha256)
        if self.photos is not None:
            checked_path(Path(self.photos.path), self.photos.sha256, "photos.")

    def features(self, inputs: ExtractorInputs) -> "pa.Table":
        path = Path(self.path)
        record = {"kind": self.kind, "name": path.name, "sha256": checked_path(path, self.sha256)}
        if path.suffix.lower() in MATRICES:
            read_ids, read_matrix = MATRICES[path.suffix.lower()]
            if self.photos is None:
                raise SettingError("photos", f"is null; {path} has no ids of photos: name a file that lists them.")
            listed = Path(self.photos.path)
            record["photos_sha256"] = checked_path(listed, self.photos.sha256, "photos.")
            ids, vectors = read_ids(_read_text(listed)), read_matrix(path)
            if len(ids) != len(vectors):
                raise InputError(f"{path} has {len(vectors):,} rows, and {listed} lists {len(ids):,} photos.")
        elif self.photos is not None:
            raise SettingError(
                "photos", f"names a file, but {path} is neither .npy nor .bin: a Parquet file has its own ids."
            )
        else:
            ids, vectors = read_table(path, PHOTO)
        record["dimension"] = vectors.shape[1]
        if not vectors.shape[1]:
            raise InputError(f"{path} has vectors without numbers.")
        wanted = inputs.photos.unique().sort().alias(PHOTO)
        return features_table(wanted.to_list(), rows_of(path, ids, vectors, wanted), record)


def _read_matrix(path: Path) -> np.ndarray:
    """Reads the matrix (photos, numbers) in an .npy file; runs no code of the file."""
    try:
        with path.open("rb") as file:
            matrix = np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise InputError(f"{path} cannot be read as a NumPy file of numbers ({one_line(error)}).") from None
    if matrix.ndim != 2 or not np.issubdtype(matrix.dtype, np.floating):
        raise InputError(
            f"{path} has an array of {matrix.dtype} and shape {matrix.shape}; it must be of floating-point numbers, "
            "with a row for each photo."
        )
    return matrix


def _map_matrix(path: Path) -> np.ndarray:
    """Maps the matrix (photos, numbers) in a file of float32 into memory; its shape is in shape.txt."""
    shape = path.with_name("shape.txt")
    if not shape.is_file():
        raise InputError(f"{shape} does not exist: it has the numbers of rows and columns of {path}.")
    sizes = _read_text(shape).split()
    if len(sizes) != 2 or not all(size.isdecimal() for size in sizes):
        raise InputError(f"{shape} has {' '.join(sizes)[:50]!r}; it must be the numbers of rows and columns.")
    rows, columns = map(int, sizes)
    if (size := path.stat().st_size) != 4 * rows * columns:
        raise InputError(f"{path} has {size:,} bytes; {rows:,} rows of {columns:,} float32 are {4 * rows * columns:,}.")
    if not size:
        return np.empty((rows, columns), np.float32)
    return np.memmap(path, "<f4", "r", shape=(rows, columns))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text file in UTF-8.") from None


def _ids_in_lines(text: str) -> pl.Series:
    return pl.Series(PHOTO, text.removesuffix("\n").split("\n"), dtype=pl.String)


def _ids_between_blanks(text: str) -> pl.Series:
    return pl.Series(PHOTO, text.split(), dtype=pl.String)


MATRICES = {".npy": (_ids_in_lines, _read_matrix), ".bin": (_ids_between_blanks, _map_matrix)}
"""The readers of ids and of vectors, by the suffix of a file of vectors without ids."""
