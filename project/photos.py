"""Finds the photos that are named on the command line: files, folders, and a list on standard input."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.data.names import shortened_list
from pipeline.data.walk import SUFFIXES, is_photo, walk
from pipeline.errors import InputError

LIST = "-"
"""The argument that stands for a list on standard input."""


@dataclass(frozen=True)
class Found:
    """The photos that were found.

    photos: their paths, each once, in the order of the arguments; those of a folder are sorted.
    missing: those of them that were named, as arguments or in a list, and do not exist.
    others: the numbers of files in folders that are not photos, by suffix.
    unlisted: the system's errors, one for each folder that cannot be listed.
    """

    photos: Sequence[Path]
    missing: Sequence[Path]
    others: Counter[str]
    unlisted: Sequence[OSError]


def find_photos(arguments: Sequence[str], standard_input: BinaryIO) -> Found:
    """Finds photos.

    Raises InputError when there is none, or none that exists, and OSError when there is none because a folder cannot be
    listed.
    """
    photos: list[Path] = []
    named: set[Path] = set()
    others: Counter[str] = Counter()
    unlisted: list[OSError] = []
    for argument in arguments:
        path = Path(argument)
        if argument == LIST:
            listed = _listed(standard_input.read())
            photos.extend(listed)
            named.update(listed)
        elif path.is_dir():
            files = [folder / name for folder, names, _ in walk(path, unlisted.append) for name in names]
            photos.extend(file for file in files if is_photo(file.name))
            others.update(file.suffix.lower() for file in files if not is_photo(file.name))
        else:
            photos.append(path)
            named.add(path)
    if not photos and unlisted:
        raise unlisted[0]
    if not photos:
        raise InputError(f"There are no photos ({', '.join(SUFFIXES)}) in {' and '.join(arguments)}.")
    photos = list(dict.fromkeys(photos))
    missing = [path for path in photos if path in named and not os.path.exists(path)]  # noqa: PTH110 (long names)
    if len(missing) == len(photos):
        verb = "does" if len(missing) == 1 else "do"
        raise InputError(f"{shortened_list(map(str, missing))} {verb} not exist.")
    return Found(photos, missing, others, unlisted)


def _listed(text: bytes) -> list[Path]:
    """Reads a list of paths: one a line, or each ended by a zero byte, as `find -print0` writes them."""
    separator = b"\0" if b"\0" in text else b"\n"
    return [Path(os.fsdecode(line.rstrip(b"\r"))) for line in text.split(separator) if line.strip()]
