"""Photos and other files below a folder, always in the same order."""

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

SUFFIXES = (
    ".avif",
    ".bmp",
    ".gif",
    ".heic",
    ".heif",
    ".hif",
    ".jpe",
    ".jpeg",
    ".jpg",
    ".png",
    ".tif",
    ".tiff",
    ".webp",
)
"""Suffixes of photos, in lower case: a folder's other files are not photos."""


def is_photo(name: str) -> bool:
    """Recognises a photo by its file's name."""
    return name.lower().endswith(SUFFIXES)


def walk(
    folder: Path, on_error: Callable[[OSError], None] | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yields each folder with the names of its files and of its links to folders, sorted.

    Hidden files and folders are left out, as are those that programs keep (`@eaDir`); links to folders are not
    followed. on_error: is called for a folder that cannot be listed.
    """
    for parent, folders, files in walk_all(folder, on_error):
        folders[:] = sorted(filter(_is_shown, folders))
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]  # noqa: PTH114, PTH118
        yield Path(parent), sorted(filter(_is_shown, files)), links


def walk_all(
    folder: Path, on_error: Callable[[OSError], None] | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yields what `os.walk` yields, however deeply folders are nested.

    In Python 3.11 `os.walk` is recursive, and fails at about a thousand levels. As there, folders that are removed from
    the list are not entered, and links to folders are not followed.

    on_error: is called for a folder that cannot be listed.
    """
    waiting = [os.fspath(folder)]
    while waiting:
        # Only the first level of each walk: the next ones wait for walks of their own.
        for parent, folders, files in islice(os.walk(waiting.pop(), onerror=on_error), 1):
            yield parent, folders, files
            inner = (os.path.join(parent, name) for name in reversed(folders))  # noqa: PTH118
            waiting.extend(path for path in inner if not os.path.islink(path))  # noqa: PTH114


def _is_shown(name: str) -> bool:
    return not name.startswith((".", "@"))
