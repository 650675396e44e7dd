"""Finds the photos that are named on the command line: files, folders, and a list on standard input."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import InputError

LIST = "-"
"""The argument that stands for a list on standard input."""
SUFFIXES = (".avif", ".bmp", ".gif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Suffixes of photos, in lower case: a folder's other files are left out."""


@dataclass(frozen=True)
class Found:
    """The photos that were found.

    photos: their paths, each once, in the order of the arguments; those of a folder are sorted.
    others: the numbers of files in folders that are no photos, by suffix.
    """

    photos: Sequence[Path]
    others: Counter[str]


def find_photos(arguments: Sequence[str], standard_input: BinaryIO) -> Found:
    """Finds photos. Raises InputError for an argument that does not exist, and when there is no photo at all."""
    photos: list[Path] = []
    others: Counter[str] = Counter()
    for argument in arguments:
        path = Path(argument)
        if argument == LIST:
            photos.extend(_listed(standard_input.read()))
        elif path.is_dir():
            files = list(_files(path))
            photos.extend(file for file in files if file.suffix.lower() in SUFFIXES)
            others.update(file.suffix.lower() for file in files if file.suffix.lower() not in SUFFIXES)
        elif path.exists():
            photos.append(path)
        else:
            raise InputError(f"{argument} does not exist.")
    if not photos:
        raise InputError(f"There are no photos ({', '.join(SUFFIXES)}) in {' and '.join(arguments)}.")
    return Found(list(dict.fromkeys(photos)), others)


def _files(folder: Path) -> Iterator[Path]:
    """Yields the files below a folder, sorted, without hidden ones; links to folders are not followed."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(_shown(folders))
        yield from (Path(parent, name) for name in sorted(_shown(files)))


def _shown(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if not name.startswith((".", "@")))


def _listed(text: bytes) -> list[Path]:
    """Reads a list of paths: one a line, or each ended by a zero byte, as `find -print0` writes them."""
    separator = b"\0" if b"\0" in text else b"\n"
    return [Path(os.fsdecode(line.rstrip(b"\r"))) for line in text.split(separator) if line.strip()]
