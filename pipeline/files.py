"""Reading and writing of files: atomic, reproducible to the byte, and clear about what is missing.

pyarrow is imported by what reads and writes Parquet: suggesting tags does without it.
"""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from safetensors import SafetensorError
from safetensors.numpy import save_file

from pipeline.errors import ArtifactError, InputError, one_line

if TYPE_CHECKING:
    import pyarrow as pa


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yields a temporary path, renamed to `path` when the block succeeds and deleted when it fails.

    A reader sees the old file or the whole new one, even after kill -9. An OSError raised in the block names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        number = _number_of(error)
        if number is None or error.filename not in (None, str(temporary)):
            raise
        # The error of a write to an open file lacks the file's name.
        raise OSError(number, os.strerror(number), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yields a new folder, which replaces `path` when the block succeeds and is deleted when it fails."""
    temporary = path.with_name(f".{path.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(new: Path, path: Path) -> None:
    """Moves a folder to `path`, across file systems if need be; an older folder there is deleted last.

    After kill -9 the old folder or the new one is whole, and a second call finishes the work.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _swap(new, path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy = path.with_name(f".{path.name}.copy")
        shutil.rmtree(copy, ignore_errors=True)
        _copy(new, copy)
        _swap(copy, path)
        shutil.rmtree(new)


def _copy(folder: Path, copy: Path) -> None:
    """Copies a folder whole, or leaves nothing behind and raises OSError."""
    try:
        shutil.copytree(folder, copy)
    except OSError as error:
        shutil.rmtree(copy, ignore_errors=True)
        if not isinstance(error, shutil.Error):
            raise
        # A list of (source, target, reason) in place of the system's error: the first reason stands for all.
        _, target, reason = error.args[0][0]
        found = re.search(r"\[Errno (\d+)\]", reason)
        number = int(found[1]) if found else errno.EIO
        raise OSError(number, os.strerror(number), target) from None


def _swap(new: Path, path: Path) -> None:
    """Renames a folder to `path`; an older one is set aside, put back on failure, and deleted on success."""
    old = path.with_name(f".{path.name}.old")
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
    try:
        new.rename(path)
    except OSError:
        if old.exists():
            old.rename(path)
        raise
    if old.exists():
        shutil.rmtree(old)


def write_parquet(table: "pl.DataFrame | pa.Table", path: Path) -> None:
    """Writes a table so that equal tables give equal bytes.

    Embeddings (fixed_size_list<float32>) are stored byte-stream-split without a dictionary, all columns with zstd.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

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


def write_safetensors(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str], path: Path) -> None:
    """Writes named arrays and texts. Only a single text keeps the bytes reproducible: the order of several is random.

    Raises OSError when the system refuses (a full disk), InputError when safetensors does (more text than it holds).
    """
    with atomic(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        try:
            save_file(dict(tensors), temporary, dict(metadata))
        except SafetensorError as error:
            number = _number_of(error)
            if number is None:
                raise InputError(f"{path} cannot be written: {error}.") from None
            raise OSError(number, os.strerror(number)) from None
        temporary.chmod(mode)  # safetensors puts a file of its own there, which only its owner may read.


def _number_of(error: Exception) -> int | None:
    """Returns the system's number of an error; libraries in Rust put it in the message only: "(os error 28)"."""
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else getattr(error, "errno", None)


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """Turns whatever a library says of a missing or damaged Parquet file into an ArtifactError that names it."""
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

    Raises ArtifactError when the file is missing or damaged, or lacks a column.
    """
    present = columns_of(path)
    chosen = present if columns is None else columns
    for column in chosen:
        if column not in present:
            raise ArtifactError(f"{path} has no column {column!r}; it has {', '.join(present)}.")
    with intact(path):
        return pl.read_parquet(path, columns=list(chosen)).select(chosen)


def columns_of(path: Path) -> list[str]:
    """Returns the names of a parquet file's columns. Raises ArtifactError when it is missing or is not parquet."""
    import pyarrow.parquet as pq

    with intact(path):
        return pq.read_schema(path).names


def write_json(value: Any, path: Path) -> None:
    """Writes indented JSON in the order given, ending in a newline. NaN and infinity are refused (ValueError)."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Reads the value in a JSON file. Raises ArtifactError when it is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist.") from None
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is not JSON ({error}).") from None


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal. Raises InputError when there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
