"""The compilation of loops over arrays for the CPU."""

import hashlib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from numba import njit
from torch import Tensor

FAST = {"reassoc", "contract", "arcp", "nsz"}
"""Liberties of the compiler: sums over many numbers at a time, a √ rounded once more; infinity stays infinity."""
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": FAST}
HASH_BYTES = 32


def compiled(loop: Callable[..., None]) -> Callable[..., None]:
    """Compiles a loop over arrays, to be called with tensors, and records of tensors, that share their memory.

    The compiled code is cached for later processes, next to the loop's file or else in the user's cache folder, if one
    of them can be written.
    """
    try:
        fast = njit(cache=True, **OPTIONS)(loop)
        _delete_damaged(_cache_files(loop, fast))
    except (RuntimeError, OSError):  # No folder can be written, for which numba raises RuntimeError.
        fast = njit(**OPTIONS)(loop)

    @wraps(loop)
    def call(*arguments: Any) -> None:
        arrays, versions = [*map(as_arrays, arguments)], len(fast.overloads)
        try:
            fast(*arrays)
        except OSError:  # It is compiled, but could not be cached.
            fast(*arrays)
        if len(fast.overloads) > versions:
            _seal(_cache_files(loop, fast))

    return call


def helper(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function that loops of the same file call: numba's cache sees no changes of other files."""
    return njit(**OPTIONS)(loop)


def as_arrays(argument: Any) -> Any:
    """Turns a tensor, or each tensor of a record, into an array of the same memory."""
    if type(argument) is Tensor:  # Far quicker than isinstance, for some hundred tensors a batch.
        return argument.numpy()
    return argument._make(map(as_arrays, argument)) if isinstance(argument, tuple) else argument


def _cache_files(loop: Callable[..., None], fast: Any) -> list[Path]:
    """Lists the cache files of a loop. They are read by pickle, which ignores a hash at their end."""
    folder, module = fast.stats.cache_path, Path(loop.__code__.co_filename).stem
    return [*Path(folder).glob(f"{module}.{loop.__name__}-*.nb[ic]")] if folder else []


def _delete_damaged(files: list[Path]) -> None:
    """Deletes files that do not end in the hash of the rest: damaged code would crash the process."""
    for file in files:
        if not _is_whole(file.read_bytes()):
            file.unlink(missing_ok=True)


def _seal(files: list[Path]) -> None:
    """Appends its hash to each file that lacks it; if that fails, the code is compiled again next time."""
    for file in files:
        try:
            data = file.read_bytes()
            if not _is_whole(data):
                with file.open("ab") as end:
                    end.write(hashlib.sha256(data).digest())
        except OSError:
            continue


def _is_whole(data: bytes) -> bool:
    return hashlib.sha256(data[:-HASH_BYTES]).digest() == data[-HASH_BYTES:]
