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
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import psutil
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from pipeline.errors import ArtifactError, InputError, one_line
from pipeline.seal import SEAL, UNSEALED, check_seal, seal

if TYPE_CHECKING:
    import pyarrow as pa

NOTES = "notes"
"""The name of the array that holds the notes of a file of arrays."""


_TEMPORARY = re.compile(r"\..*\.(\d+)\.tmp")
"""The name of a file that is being written, with the number of the process that writes it."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yields a temporary path, renamed to `path` when the block succeeds and deleted when it fails.

    A reader sees the old file or the whole new one, even after kill -9; what a killed process left in the folder is
    deleted by the next one that writes there. An OSError raised in the block names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(path.parent.absolute())
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with naming(path, temporary):
            yield temporary
            temporary.replace(path)
    except BaseException:
        with suppress(OSError):  # The first error is the one to report.
            temporary.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yields a new folder, which replaces `path` when the block succeeds and is deleted when it fails.

    What a killed process left is deleted first. An OSError raised in the block names `path` or the file in it.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with naming(path, temporary):
            _remove(temporary)
            temporary.mkdir(parents=True)
            yield temporary
            replace_folder(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Lets an error of the system name the file that is written, and not a temporary one, or none."""
    written = temporary or path
    try:
        yield
    except OSError as error:
        # The error of a write to an open file has no name.
        failed = Path(written if error.filename is None else os.fsdecode(error.filename))
        number = error.errno or _number_in(str(error))
        if number is None or not failed.is_relative_to(written):
            raise
        known = path / failed.relative_to(written)
        raise OSError(number, os.strerror(number), str(known)) from error


def _number_in(message: str) -> int | None:
    """Finds the system's number in a message of a library in Rust: "(os error 28)"."""
    found = re.search(r"\(os error (\d+)\)", message)
    return int(found[1]) if found else None


def sweep_temporaries(folder: Path) -> None:
    """Deletes the temporary files of `atomic` in a folder whose processes have ended."""
    for path in folder.glob(".*.tmp"):
        if _TEMPORARY.fullmatch(path.name) and not being_written(path):
            path.unlink(missing_ok=True)


_sweep_once = cache(sweep_temporaries)


def being_written(path: Path) -> bool:
    """Recognises a temporary file of `atomic` that another process is writing."""
    found = _TEMPORARY.fullmatch(path.name)
    # This process sweeps before it writes; in a container an earlier one may have had the same number.
    return found is not None and int(found[1]) != os.getpid() and psutil.pid_exists(int(found[1]))


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
        copy = path.with_name(f".{path.name}.copy.tmp")
        _remove(copy)
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
    old = path.with_name(f".{path.name}.old.tmp")
    with naming(path, new), naming(path, old):
        if path.exists():
            _remove(old)
            path.rename(old)
        try:
            new.rename(path)
        except OSError:
            with suppress(OSError):  # The first error is the one to report.
                if old.exists():
                    old.rename(path)
            raise
        _remove(old)


def _remove(folder: Path) -> None:
    """Deletes a folder, if there is one."""
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        # It has the bare name of a file below.
        raise OSError(error.errno, os.strerror(error.errno), str(folder)) from error


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
        # Through Python's own file: the system's refusals are then errors of the system.
        with temporary.open("wb") as file, pq.ParquetWriter(file, table.schema, **options) as writer:
            writer.write_table(table, row_group)
            writer.add_key_value_metadata({SEAL: UNSEALED})
        seal(temporary)


def write_tensors(tensors: Mapping[str, np.ndarray], notes: Any, path: Path) -> None:
    """Writes named arrays, and notes that JSON can hold, as safetensors, sealed. No array may be called `NOTES`.

    The notes are an array of bytes: safetensors' metadata has room for no more than 100 MB.
    """
    text = json.dumps(notes, ensure_ascii=False).encode()
    data = save({**tensors, NOTES: np.frombuffer(text, np.uint8)}, {SEAL: UNSEALED})
    with atomic(path) as temporary:
        temporary.write_bytes(data)
        seal(temporary)


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], Any]:
    """Reads the arrays and notes of a file. Raises ArtifactError when it is missing, and DamagedError when damaged."""
    try:
        check_seal(path)
        tensors = load_file(path)
        return tensors, json.loads(tensors.pop(NOTES).tobytes())
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist.") from None
    except (SafetensorError, KeyError, ValueError) as error:  # Sealed, but by something else.
        raise ArtifactError(f"{path} does not hold arrays and notes ({one_line(error)}).") from None


def write_safetensors(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str], path: Path) -> None:
    """Writes named arrays and texts for other programs, without a seal: whoever needs the file notes its SHA-256.

    Only a single text keeps the bytes reproducible: the order of several is random. Raises OSError when the system
    refuses (a full disk), InputError when safetensors does (more text than it holds).
    """
    try:
        data = save(dict(tensors), dict(metadata))
    except SafetensorError as error:
        raise InputError(f"{path} cannot be written: {error}.") from None
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def write_csv(table: pl.DataFrame, path: Path, **options: Any) -> None:
    """Writes a table as CSV, with options of polars."""
    with atomic(path) as temporary:
        temporary.write_text(table.write_csv(**options), encoding="utf-8")


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
    """Returns the texts in a parquet file's metadata. Raises ArtifactError when it is missing or damaged."""
    return _schema(path).metadata or {}


def _schema(path: Path) -> "pa.Schema":
    import pyarrow.parquet as pq

    with intact(path):
        check_seal(path)
        return pq.read_schema(path)


def write_json(value: Any, path: Path) -> None:
    """Writes indented JSON in the order given, ending in a newline. NaN and infinity are refused (ValueError)."""
    with atomic(path) as temporary:
        temporary.write_text(_as_json(value), encoding="utf-8")


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_sealed_json(value: Mapping[str, Any], path: Path) -> None:
    """Writes an object as `write_json` does, with its seal as the first member."""
    with atomic(path) as temporary:
        temporary.write_text(_as_json({SEAL: UNSEALED, **value}), encoding="utf-8")
        seal(temporary)


def read_sealed_json(path: Path) -> dict[str, Any]:
    """Reads the object in a JSON file without its seal. Raises ArtifactError when it is missing or damaged."""
    value = read_json(path)
    check_seal(path)
    del value[SEAL]
    return value


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
