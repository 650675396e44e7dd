"""Photos from a folder, by names that come from elsewhere and are not to be trusted."""

import os
from collections.abc import Collection
from functools import partial
from pathlib import Path, PurePosixPath

from pipeline.data.photo import PhotoError, prepare
from pipeline.data.shards import Preparing, pack

LARGEST = 256 * 1024**2
"""Bytes of a file that is read into memory, at most: a larger one is no photo."""


def pack_folder(
    names: Collection[str], root: Path, photos: Path, work: Path, threads: int = 2, preparing: Preparing | None = None
) -> dict[str, str]:
    """Packs the named files below `root` into `photos` (see `shards.pack`); returns the others, each with the reason.

    Reasons are those of `photo.prepare`, and "unsafe name" (it leads out of the folder: by `..`, as an absolute path,
    by a link), "no such file", "unreadable file". Sub-folders are fine; a photo's id is the name as given.
    """
    real = Path(os.path.realpath(root))
    read = partial(_read, real)
    load = read if preparing else lambda name: prepare(name, read(name))
    return pack(names, load, photos, work, _state(real, names), threads, preparing)


def _read(root: Path, name: str) -> bytes:
    path = _locate(root, name)
    try:
        if path.stat().st_size > LARGEST:
            raise PhotoError("too large")
        return path.read_bytes()
    except OSError:
        raise PhotoError("unreadable file") from None


def _locate(root: Path, name: str) -> Path:
    """Finds the file of that name strictly inside `root`, which is a real path."""
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or "\0" in name:
        raise PhotoError("unsafe name")
    try:
        path = Path(os.path.realpath(root / parts, strict=True))
    except OSError:
        raise PhotoError("no such file") from None
    if not path.is_relative_to(root) or path == root:
        raise PhotoError("unsafe name")
    if not path.is_file():
        raise PhotoError("no such file")
    return path


def _state(root: Path, names: Collection[str]) -> str:
    """Returns all that decides how the photos look: each file's size and time of change, where it exists."""
    states = []
    for name in sorted(names):
        try:
            stat = _locate(root, name).stat()
            states.append((stat.st_size, stat.st_mtime_ns))
        except (PhotoError, OSError):
            states.append(None)  # Reading it will fail as well, with the reason.
    return repr(states)
