"""Photos' names in a table, and the files that they mean, however either is written."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pipeline.data.walk import is_photo

ABSOLUTE = re.compile(r"(?:file:)?/|[A-Za-z]:/")
"""The beginning of a tidy path from the root of a file system, of Unix or of Windows."""
UNSAFE, ABSENT, SEVERAL = "unsafe name", "no such file", "several such files"
"""Reasons why a name means no photo: it leads out of the folder, no file fits, or several do."""


@dataclass(frozen=True)
class FoundPhotos:
    """The photos that names mean."""

    ids: Mapping[str, str]
    """For each name that means a file, the photo's id: the file's path in the folder, NFC."""
    files: Mapping[str, str]
    """For each id, the path of the file as the file system spells it."""
    reasons: Mapping[str, str]
    """For each other name, the reason."""


def tidy(name: str) -> str:
    """Tidies a photo's name: NFC, stripped, with slashes, without `.` between them."""
    name = unicodedata.normalize("NFC", name).strip("\ufeff \t\r\n\xa0").replace("\\", "/")
    return ("/" if name.startswith("/") else "") + "/".join(part for part in name.split("/") if part not in ("", "."))


def find_photos(names: Collection[str], files: Iterable[str]) -> FoundPhotos:
    """Finds the file that each tidy name means, among the paths of a folder's files.

    A name meets a file regardless of Unicode's form and of the slash's direction; regardless of the suffix's case, and
    without a suffix, where only one file fits. A name without a slash that fits no file of the folder itself means the
    only file of that name in its sub-folders. Names from the root of a file system count from the folder of theirs
    below which most are found. Names are never looked up in the file system itself, so that none leads out.
    """
    exact, folded, stems, bare = defaultdict(list), defaultdict(list), defaultdict(list), defaultdict(list)
    for file in sorted(files):
        path = unicodedata.normalize("NFC", file)
        exact[path].append(file)
        folded[_fold_suffix(path)].append(file)
        if is_photo(path):  # A sidecar has the same stem.
            stems[_split_suffix(path)[0]].append(file)
            last = path.rpartition("/")[2]
            for key in (_fold_suffix(last), _split_suffix(last)[0]):
                bare[key].append(file)
    root = _common_root([name for name in names if ABSOLUTE.match(name)], exact)
    ids, found, reasons = {}, {}, {}
    for name in names:
        inside = name.removeprefix(root) if root else name
        if ABSOLUTE.match(inside) or ".." in inside.split("/") or not inside:
            reasons[name] = UNSAFE
            continue
        wanted = _fold_suffix(inside)
        matches = exact.get(inside) or folded.get(wanted) or stems.get(inside) or bare.get(wanted, ())
        if len(matches) == 1:
            ids[name] = unicodedata.normalize("NFC", matches[0])
            found[ids[name]] = matches[0]
        else:
            reasons[name] = SEVERAL if matches else ABSENT
    return FoundPhotos(ids, found, reasons)


def find_root(names: Collection[str], files: Iterable[str]) -> str | None:
    """Finds the folder in which most tidy names are files, among paths; None when there is none.

    It is `.` where another folder has half as many: the names are spread over both, or the same in both. Only the
    ends of absolute names count, because they may be those of another machine.
    """
    wanted = set()
    for name in names:
        ends = _ends(name) if ABSOLUTE.match(name) else [name]
        wanted.update(map(_fold_suffix, ends))
    roots = Counter()
    for file in files:
        path = _fold_suffix(unicodedata.normalize("NFC", file))
        for end in _ends(path):
            if end in wanted or (is_photo(end) and _split_suffix(end)[0] in wanted):
                # The folder is spelled as the file system does.
                roots["/".join(file.split("/")[: -1 - end.count("/")]) or "."] += 1
    best = max(roots, key=lambda root: (roots[root], len(root)), default=None)
    rivals = [root for root, count in roots.items() if count * 2 >= roots[best] and not _are_nested(root, best)]
    return "." if rivals else best


def _are_nested(one: str, other: str) -> bool:
    return "." in (one, other) or f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _ends(path: str) -> list[str]:
    """Lists the ends of a path, the shortest first."""
    parts = path.split("/")
    return ["/".join(parts[start:]) for start in reversed(range(len(parts)))]


def _split_suffix(path: str) -> tuple[str, str]:
    """Splits the suffix with its point, which may be empty, from a path."""
    stem, point, suffix = path.rpartition(".")
    return (stem, point + suffix) if stem and "/" not in suffix else (path, "")


def _fold_suffix(path: str) -> str:
    stem, suffix = _split_suffix(path)
    return stem + suffix.lower()


def _common_root(names: Iterable[str], exact: Collection[str]) -> str | None:
    """Finds the folder, with a slash at its end, below which most of the absolute names are files."""
    roots = Counter()
    for name in names:
        parts = name.split("/")
        roots.update("/".join(parts[:cut]) + "/" for cut in range(1, len(parts)) if "/".join(parts[cut:]) in exact)
    return max(roots, key=lambda root: (roots[root], len(root)), default=None)
