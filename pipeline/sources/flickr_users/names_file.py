"""The file of users and groups: one a line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.sources.base import Recognised
from pipeline.sources.flickr.listing import ADDRESS, NSID
from pipeline.sources.flickr.names import clean_name
from pipeline.words import counted

LARGEST = 1024**2
"""Bytes of such a file, at most."""


def read_names(path: Path) -> list[str]:
    """Reads users and groups, distinct. Empty lines and those that begin with # do not count.

    Raises InputError for a file that is missing, or holds something else.
    """
    names = {}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name = clean_name(line)
        if not name:
            raise InputError(
                f"{path}:{number} is {line[:40]!r}, which is not the name of a user or group: correct the line."
            )
        names[name] = None
    return list(names)


def recognise(path: Path, given: Mapping[str, Any]) -> Recognised | None:
    """Recognises a file of Flickr's ids and addresses alone: a name could be anything."""
    if not path.is_file() or path.suffix.lower() != ".txt" or path.stat().st_size > LARGEST:
        return None
    try:
        names = read_names(path)
    except InputError:
        return None
    if not names or not all(NSID.fullmatch(name) or ADDRESS.fullmatch(name) for name in names):
        return None
    groups = sum("/groups/" in name for name in names)
    return Recognised(
        path.parent,
        {"users": [], "groups": [], "file": path.name, **given},
        [
            f"{path.name}: {counted(len(names) - groups, 'users')} and {counted(groups, 'groups')} of Flickr.",
            "Their public photos are listed by Flickr's API, which needs a key, and fetched one a second.",
        ],
        [path],
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: put users and groups there, one a line.") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line} is not UTF-8: save the file in that encoding.") from None
