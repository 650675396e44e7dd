"""A Parquet file of vectors, one for each photo or tag."""

from pathlib import Path

import numpy as np
import polars as pl

from pipeline.data.names import shortened_list
from pipeline.data.schema import VECTOR
from pipeline.errors import InputError, one_line


def read_table(path: Path, key: str) -> tuple[pl.Series, np.ndarray]:
    """Reads the ids, in the column `key`, and the vectors, (ids, numbers), in a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
        for column in (key, VECTOR):
            if column not in names:
                raise InputError(f"{path} has no column {column!r}; it has {shortened_list(names)}.")
        frame = pl.read_parquet(path, columns=[key, VECTOR], glob=False)
    except (pa.ArrowException, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path} is not a Parquet file that can be read ({one_line(error)}).") from None
    ids, vectors = frame[key], frame[VECTOR]
    if ids.dtype != pl.String:
        raise InputError(f"{path} has ids of type {ids.dtype} in its column {key!r}; they must be strings.")
    if not isinstance(vectors.dtype, pl.List | pl.Array) or not vectors.dtype.inner.is_float():
        raise InputError(
            f"{path} has values of type {vectors.dtype} in its column {VECTOR!r}; they must be lists of floating-point "
            "numbers."
        )
    _refuse(path, ids, vectors.is_null(), "no vector")
    if isinstance(vectors.dtype, pl.List):
        lengths = vectors.list.len()
        _refuse(path, ids, lengths != (lengths[0] if len(lengths) else 0), "a vector of another length than the first")
        vectors = vectors.list.to_array(int(lengths[0]) if len(lengths) else 0)
    return ids, vectors.to_numpy()


def rows_of(path: Path, ids: pl.Series, vectors: np.ndarray, wanted: pl.Series) -> np.ndarray:
    """Returns the vectors of the wanted ids in their order, float32 (wanted, numbers)."""
    _refuse(path, ids, ids.is_null(), "no id")
    _refuse(path, ids, ids.is_duplicated(), "several vectors")
    rows = wanted.replace_strict(ids, range(len(ids)), default=None, return_dtype=pl.Int64)
    _refuse(path, wanted, rows.is_null(), "no vector")
    with np.errstate(over="ignore"):  # What float32 cannot hold becomes infinite, and is refused.
        chosen = vectors[rows.to_numpy()].astype(np.float32)
    _refuse(path, wanted, pl.Series(~np.isfinite(chosen).all(axis=1)), "a vector with numbers that are not finite")
    return chosen


def _refuse(path: Path, ids: pl.Series, faulty: pl.Series, fault: str) -> None:
    """Raises InputError with the first of the photos or tags that have a fault, and the number of the others."""
    found = ids.filter(faulty)
    if len(found):
        more = f", and {len(found) - 1:,} more like it" if len(found) > 1 else ""
        raise InputError(f"{path} has {fault} for {ids.name} {found[0]!r}{more}.")
