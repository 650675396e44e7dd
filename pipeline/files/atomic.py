"""Atomic writing: a reader sees the old file or folder, or the whole new one, even after a crash."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from pipeline.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)
"""The error numbers of a full disk, which are about the file that is written, never one that is read."""

_TEMPORARY = re.compile(r"\..*\.(\d+)\.tmp")
"""The name of a temporary file, which contains the id of the process that writes it."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yields a temporary path, renamed to `path` when the block succeeds and deleted when it fails.

    A reader sees the old file or the whole new one, even after kill -9. The next process that writes to the folder
    deletes temporary files of killed ones. An OSError raised in the block names `path`. Raises InputError for a folder
    or a device, whose place the file would take.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not an ordinary file, and stays as it is.")
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(path.parent.absolute())
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with reported_as(path, temporary):
            yield temporary
            temporary.replace(path)
    except BaseException:
        with suppress(OSError):  # The first error is the one to report.
            temporary.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yields a new folder, which replaces `path` when the block succeeds and is deleted when it fails.

    Leftovers of a killed process are deleted first. An OSError raised in the block names `path` or the file in it.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with reported_as(path, temporary):
            _remove(temporary)
            temporary.mkdir(parents=True)
            yield temporary
            replace_folder(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def reported_as(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Makes an OSError that names the temporary file, or no file, name `path` instead.

    The same holds for a copy into the temporary file: when the disk is full, `shutil` names the source first.
    """
    written = temporary or path
    try:
        yield
    except OSError as error:
        number, names = _fault_of(error)
        # The error of a write to an open file has no file name.
        failed = next((name for name in names or [written] if name.is_relative_to(written)), None)
        if number is None or failed is None:
            raise
        raise OSError(number, os.strerror(number), str(path / failed.relative_to(written))) from error


def _fault_of(error: OSError) -> tuple[int | None, list[Path]]:
    """Returns the number of an error, and the files that it names, the one at fault first."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        # A list of (source, target, reason) in place of the system's error: the first reason stands for all.
        _, target, reason = error.args[0][0]
        found = re.search(r"\[Errno (\d+)\]", str(reason))
        return int(found[1]) if found else errno.EIO, [Path(target)]
    names = [error.filename, error.filename2 if error.errno in FULL else None]
    return error.errno or _errno_in(str(error)), [Path(os.fsdecode(name)) for name in names if name is not None]


def _errno_in(message: str) -> int | None:
    """Finds the error number in a message of a library written in Rust: "(os error 28)"."""
    found = re.search(r"\(os error (\d+)\)", message)
    return int(found[1]) if found else None


def sweep_temporaries(folder: Path) -> None:
    """Deletes temporary files of `atomic` in a folder, those of processes that have ended."""
    for path in folder.glob(".*.tmp"):
        if _TEMPORARY.fullmatch(path.name) and not being_written(path):
            path.unlink(missing_ok=True)


_sweep_once = cache(sweep_temporaries)


def being_written(path: Path) -> bool:
    """Recognises a temporary file of `atomic` that another process is writing."""
    import psutil  # At the first use: it takes a tenth of the time in which a process starts.

    found = _TEMPORARY.fullmatch(path.name)
    # This process sweeps before it writes, so that a file with its id is of an earlier one, as happens in containers.
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
        number, names = _fault_of(error)
        raise OSError(number, os.strerror(number), str(names[0])) from None


def _swap(new: Path, path: Path) -> None:
    """Renames a folder to `path`; an older one is set aside, put back on failure, and deleted on success."""
    old = path.with_name(f".{path.name}.old.tmp")
    with reported_as(path, new), reported_as(path, old):
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
        # The error of rmtree names a file inside, without its folder.
        raise OSError(error.errno, os.strerror(error.errno), str(folder)) from error
