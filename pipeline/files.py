"""Reading and writing: atomic, byte-stable, and plain about what is missing."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import InputError


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, renamed onto it when the block ends well and deleted when it does not.

    A reader sees the old file or the whole new one, also after kill -9.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_parquet(table: pl.DataFrame | pa.Table, path: Path) -> None:
    """Writes a table so that equal tables give equal bytes.

    Embeddings (fixed_size_list<float32>) are stored byte-stream-split without a dictionary, all columns with zstd.
    """
    if isinstance(table, pl.DataFrame):
        table = table.to_arrow(compat_level=pl.CompatLevel.oldest())
    embeddings = [field.name for field in table.schema if pa.types.is_fixed_size_list(field.type)]
    others = [field.name for field in table.schema if field.name not in embeddings]
    with atomic(path) as temporary:
        pq.write_table(
            table,
            temporary,
            compression="zstd",
            use_dictionary=others,
            use_byte_stream_split=[f"{name}.list.element" for name in embeddings],
        )


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The named columns of a parquet file, in that order; all of them when none are named.

    Raises InputError when the file is missing, is not parquet, or lacks a column.
    """
    present = columns_of(path)
    chosen = present if columns is None else columns
    for column in chosen:
        if column not in present:
            raise InputError(f"{path} has no column {column!r}; it has {', '.join(present)}.")
    return pl.read_parquet(path, columns=list(chosen)).select(chosen)


def columns_of(path: Path) -> list[str]:
    """The names of a parquet file's columns. Raises InputError when the file is missing or is not parquet."""
    try:
        return pq.read_schema(path).names
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: run the stage that writes it, or `dvc repro`.") from None
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} is not a parquet file ({error}): write it again.") from None


def write_json(value: Any, path: Path) -> None:
    """Writes indented JSON in the order given, ending in a newline. NaN and infinity are refused (ValueError)."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """The value in a JSON file. Raises InputError when it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: run the stage that writes it, or `dvc repro`.") from None
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}): write it again.") from None


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises InputError when there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
