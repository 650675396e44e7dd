"""The tags of a photo: one set from fields of keywords that repeat, nest and shorten each other."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import chain
from typing import Literal

from pipeline.data.names import fold_case, normalise
from pipeline.keywords.metadata import FLAT, IPTC, LEVELS, MICROSOFT, PIPED, SLASHED, TREE, WINDOWS, Keywords

Levels = Literal["leaf", "every", "path"]
"""The tags of a path: its last node, each of its nodes, or all nodes joined by a slash."""

NESTED, PLAIN = (PIPED, SLASHED, TREE), (FLAT, IPTC)
LATER = (MICROSOFT, WINDOWS)
"""Fields that count where all others are empty: copies that Windows keeps, which other programs leave as they are."""
JOINTS = "/|."
"""Signs by which programs join a path in a field without levels."""

_normalise = lru_cache(1 << 16)(normalise)  # The photos of a folder share their words.


def tags_of(keywords: Keywords, levels: Levels, leave_out: Sequence[str], lowercase: bool) -> list[str]:
    """Returns the distinct tags of a photo, sorted and normalised.

    All paths of the fields with levels count, and those words of the flat fields that are neither nodes of a path nor a
    path written as one word. leave_out: patterns of the shell; a path that matches one, joined by slashes, does not
    count, nor do the nodes above it.
    """
    paths = _paths(keywords, NESTED)
    words = _paths(keywords, PLAIN)
    if not paths and not words:
        paths = next(filter(None, (_paths(keywords, [field]) for field in LATER)), [])
    known = {node for path in paths for node in path} | {sign.join(path) for path in paths for sign in JOINTS}
    paths += [word for word in words if word[0] not in known]
    left_out = [path for path in paths if any(fnmatchcase("/".join(path), pattern) for pattern in leave_out)]
    above = {path[:length] for path in left_out for length in range(1, len(path) + 1)}
    tags = set(chain.from_iterable(_tags(path, levels) for path in paths if path not in above))
    return sorted({fold_case(tag) for tag in tags} if lowercase else tags)


def _paths(keywords: Keywords, fields: Sequence[str]) -> list[tuple[str, ...]]:
    """Returns the distinct paths of some fields, of normalised nodes; a keyword without levels has one."""
    found = []
    for field in fields:
        for keyword in keywords.get(field, ()):
            nodes = keyword.split(LEVELS[field]) if field in LEVELS else [keyword]
            found.append(tuple(filter(None, map(_normalise, nodes))))
    return list(dict.fromkeys(filter(None, found)))


def _tags(path: tuple[str, ...], levels: Levels) -> Iterator[str]:
    if levels == "every":
        yield from path
    else:
        yield path[-1] if levels == "leaf" else "/".join(path)
