"""Tables as sealed Parquet files, reproducible to the byte.

pyarrow is imported where it is needed: suggesting tags does without it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from pipeline.errors import ArtifactError, one_line
from pipeline.files.atomic import atomic
from pipeline.files.seal import SEAL, UNSEALED, check_seal, seal

if TYPE_CHECKING:
    import pyarrow as pa


def write_parquet(table: "pl.DataFrame | pa.Table", path: Path) -> None:
    """Writes a table, sealed, so that equal tables give equal bytes.

    Embeddings (fixed_size_list<float32>) are stored byte-stream-split without a dictionary, all columns with zstd.
    """
    import pyarrow as pa

    if isinstance(table, pl.DataFrame):
        table = table.to_arrow(compat_level=pl.CompatLevel.oldest())
    embeddings = [field.name for field in table.schema if pa.types.is_fixed_size_list(field.type)]
    others = [field.name for field in table.schema if field.name not in embeddings]
    streams = [f"{name}.list.element" for name in embeddings]
    write_arrow(table, path, compression="zstd", use_dictionary=others, use_byte_stream_split=streams)


def write_arrow(table: "pa.Table", path: Path, row_group: int | None = None, **options: Any) -> None:
    """Writes an Arrow table as Parquet, sealed.

    row_group: rows that are read at once; options: as of `pyarrow.parquet.ParquetWriter`.
    """
    import pyarrow.parquet as pq

    with atomic(path) as temporary:
        # Through a file of Python's, so that errors of the system are raised as OSError.
        with temporary.open("wb") as file, pq.ParquetWriter(file, table.schema, **options) as writer:
            writer.write_table(table, row_group)
            writer.add_key_value_metadata({SEAL: UNSEALED})
        seal(temporary)


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """Turns a library's error about a missing or damaged Parquet file into an ArtifactError that names it."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist.") from None
    except (pa.ArrowInvalid, pl.exceptions.PolarsError, OSError) as error:
        # An error number comes from the system, which may read the file later; damage has none.
        if isinstance(error, OSError) and error.errno is not None and not path.is_dir():
            raise
        raise ArtifactError(f"{path} is damaged, or not a Parquet file ({one_line(error)}).") from None


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Reads the named columns of a parquet file, in that order; all of them when none are named.

    Raises ArtifactError when the file is missing or damaged (DamagedError), or lacks a column.
    """
    present = columns_of(path)
    chosen = present if columns is None else columns
    for column in chosen:
        if column not in present:
            raise ArtifactError(f"{path} has no column {column!r}; it has {', '.join(present)}.")
    with intact(path):
        return pl.read_parquet(path, columns=list(chosen)).select(chosen)


def columns_of(path: Path) -> list[str]:
    """Returns the names of a parquet file's columns. Raises ArtifactError when it is missing or damaged."""
    return _schema(path).names


def read_metadata(path: Path) -> Mapping[bytes, bytes]:
    """Returns the metadata of a Parquet file. Raises ArtifactError when it is missing or damaged."""
    return _schema(path).metadata or {}


def _schema(path: Path) -> "pa.Schema":
    import pyarrow.parquet as pq

    with intact(path):
        check_seal(path)
        return pq.read_schema(path)
