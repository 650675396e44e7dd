"""SQLite's changes of files, which it makes from C, announced to a disk that fails.

SQLite lets its system calls be replaced: those of its file system for Unix, except what flushes a file to the disk.
"""

import _sqlite3
import ctypes
import os
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_size_t, c_ssize_t, c_void_p
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

Call = Callable[..., int]
Change = Callable[..., None]
"""Takes the word for a change, the path and, for a path that was given, the path as it was; may raise OSError."""


class _FileSystem(ctypes.Structure):
    """The structure sqlite3_vfs of sqlite3.h."""

    _fields_ = [
        ("version", c_int),
        ("file_size", c_int),
        ("longest_path", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("methods", c_void_p * 13),
        ("set_system_call", CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p)),
        ("get_system_call", CFUNCTYPE(c_void_p, c_void_p, c_char_p)),
    ]


def find_sqlite() -> ctypes.CDLL | None:
    """Returns the SQLite that Python uses, None where its functions cannot be reached."""
    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    return library if hasattr(library, "sqlite3_vfs_find") else None


def watch_sqlite(change: Change) -> None:
    """Announces each change that SQLite is about to make, until the process ends; it fails as a refusal says."""
    if (library := find_sqlite()) is None:
        return
    library.sqlite3_vfs_find.restype = POINTER(_FileSystem)
    system = library.sqlite3_vfs_find(None)
    for name, (form, announced) in CALLS.items():
        if original := system.contents.get_system_call(system, name):
            replacement = form(_returning_refusals(announced, form(original), change))
            _replacements.append(replacement)
            system.contents.set_system_call(system, name, ctypes.cast(replacement, c_void_p))


def _returning_refusals(announced: Call, call: Call, change: Change) -> Call:
    def returning(*arguments: Any) -> int:
        try:
            return announced(call, change, *arguments)
        except OSError as error:
            ctypes.set_errno(error.errno)
            return -1

    return returning


def _open(call: Call, change: Change, path: bytes, flags: int, mode: int) -> int:
    if flags & WRITING:
        change("open", Path(os.fsdecode(path)), os.fsdecode(path))
    return call(path, flags, mode)


def _remove(call: Call, change: Change, path: bytes) -> int:
    if os.path.lexists(path):
        change("remove", Path(os.fsdecode(path)), os.fsdecode(path))
    return call(path)


def _truncate(call: Call, change: Change, number: int, size: int) -> int:
    change("truncate", _path(number))
    return call(number, size)


def _write(call: Call, change: Change, number: int, data: int, size: int, *place: int) -> int:
    """Writes to an open file; the write is announced when it is half done."""
    middle = size // 2
    if middle and (written := call(number, data, middle, *place)) != middle:
        return written
    change("write", _path(number))
    rest = call(number, data + middle, size - middle, *(start + middle for start in place))
    return rest if rest < 0 else middle + rest


def _path(number: int) -> Path:
    return Path(f"/proc/self/fd/{number}").readlink()


_WRITE = c_ssize_t, c_int, c_void_p, c_size_t
CALLS = {
    b"open": (CFUNCTYPE(c_int, c_char_p, c_int, c_int, use_errno=True), _open),
    b"unlink": (CFUNCTYPE(c_int, c_char_p, use_errno=True), _remove),
    b"ftruncate": (CFUNCTYPE(c_int, c_int, c_int64, use_errno=True), _truncate),
    b"write": (CFUNCTYPE(*_WRITE, use_errno=True), _write),
    b"pwrite": (CFUNCTYPE(*_WRITE, c_int64, use_errno=True), _write),
    b"pwrite64": (CFUNCTYPE(*_WRITE, c_int64, use_errno=True), _write),
}
"""SQLite's names of the system calls that change files, with the form of each and the function that announces it."""
_replacements: list[Call] = []
"""The functions that SQLite calls now: they must outlive all connections."""
