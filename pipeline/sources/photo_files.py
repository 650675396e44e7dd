"""Photos from a folder, by names that come from elsewhere and are not to be trusted."""

import os
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from pipeline.data.photo import PhotoError, prepare
from pipeline.data.shards import Preparing, pack
from pipeline.data.walk import walk

LARGEST = 256 * 1024**2
"""Bytes of a file that is read into memory, at most: a larger one is not a photo."""


def pack_folder(
    names: Collection[str] | Mapping[str, str],
    root: Path,
    photos: Path,
    work: Path,
    threads: int = 2,
    preparing: Preparing | None = None,
) -> dict[str, str]:
    """Packs the named files below `root` into `photos` (see `shards.pack`); returns the others, each with the reason.

    Reasons are those of `photo.prepare`, and "unsafe name" (it leads out of the folder: by `..`, as an absolute path,
    through a link to a folder), "no such file", "unreadable file". Sub-folders are fine, and so are links to files. A
    photo's id is the name of its file, or the key to it in a mapping.
    """
    files = names if isinstance(names, Mapping) else {name: name for name in names}
    real = Path(os.path.realpath(root))
    read = partial(_read, real, files)
    load = read if preparing else lambda photo: prepare(photo, read(photo))
    return pack(files, load, photos, work, _state(real, files), threads, preparing)


def list_files(root: Path) -> Iterator[str]:
    """Yields the paths of the files that `walk` finds: real files and links to files, named in UTF-8.

    Pipes, sockets and links that lead nowhere are not files.
    """
    for parent, names, _ in walk(root):
        folder = parent.relative_to(root)
        for name in names:
            if _is_utf8(name) and (parent / name).is_file():
                yield str(folder / name)


def _is_utf8(name: str) -> bool:
    try:
        return bool(name.encode())
    except UnicodeEncodeError:  # Bytes that are not UTF-8 are halves of surrogate pairs.
        return False


def _read(root: Path, files: Mapping[str, str], photo: str) -> bytes:
    path = _locate(root, files[photo])
    try:
        if path.stat().st_size > LARGEST:
            raise PhotoError("too large")
        return path.read_bytes()
    except OSError:
        raise PhotoError("unreadable file") from None


def _locate(root: Path, name: str) -> Path:
    """Finds the file of that name strictly inside `root`, a real path; it may be a link to a file."""
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or "\0" in name or not parts.name:
        raise PhotoError("unsafe name")
    try:
        folder = Path(os.path.realpath(root / parts.parent, strict=True))
        is_file = (root / parts).is_file()
    except OSError:
        raise PhotoError("no such file") from None
    if not folder.is_relative_to(root):
        raise PhotoError("unsafe name")
    if not is_file:
        raise PhotoError("no such file")
    return root / parts


def _state(root: Path, files: Mapping[str, str]) -> str:
    """Returns all that decides how the photos look: each file's size and time of change, where it exists."""
    states = []
    for photo in sorted(files):
        try:
            stat = _locate(root, files[photo]).stat()
            states.append((files[photo], stat.st_size, stat.st_mtime_ns))
        except (PhotoError, OSError):
            states.append((files[photo], None))  # Reading it will fail as well, with the reason.
    return repr(states)
