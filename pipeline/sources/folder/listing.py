"""The photos below a folder, each with its sidecars."""

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from pipeline.data.walk import is_photo, walk
from pipeline.keywords.reading import PhotoTask
from pipeline.keywords.sidecars import FolderSidecars

RAW = (".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef")
RAW += (".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f")
"""Suffixes of what cameras write before it is a picture."""
UNDECODED = (".jxl", ".psb", ".psd", ".xcf")
"""Suffixes of pictures in formats that are not decoded here."""


@dataclass(frozen=True)
class Listed:
    """A photo of a folder."""

    photo: str
    """Its id: the path below the folder, with slashes."""
    task: PhotoTask
    """The files to read."""
    state: str
    """Names, sizes and times of change of these files: if it is equal, so are they."""


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that could be expected among the photos."""

    name: str
    """The path below the folder, with slashes; signs that are not UTF-8 are replaced."""
    reason: str
    """The reason, in words that are the same for all of its kind."""
    detail: str
    """The name, and more on the reason."""


@dataclass(frozen=True)
class Listing:
    """The content of a folder."""

    photos: Sequence[Listed]
    """The photos, sorted by id."""
    left_out: Sequence[LeftOut]
    """Files and folders that look like photos, or could hold some, and are none."""
    others: Counter[str]
    """The numbers of files that are neither photos nor sidecars, by suffix."""


def list_photos(root: Path) -> Listing:
    """Lists the photos below a folder.

    A RAW file is left out, unless a picture of its name stands in the same folder: then its sidecars are those of the
    picture. Hidden files are not part of the folder; links to folders are left out.
    """
    lister = _Lister(root)
    for folder, names, links in walk(root, lister.skip_folder):
        for name in links:
            lister.skip(folder / name, "link to a folder", f"leads to {(folder / name).readlink()}")
        lister.add(folder, names)
    return Listing(sorted(lister.photos, key=lambda listed: listed.photo), lister.left_out, lister.others)


@dataclass
class _Lister:
    """A listing while it is made."""

    root: Path
    photos: list[Listed] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    def add(self, folder: Path, names: Sequence[str]) -> None:
        """Adds the files of one folder."""
        raw, used = defaultdict(list), set()
        for name in names:
            if _suffix(name) in RAW:
                raw[_stem(name)].append(name)
        photos, sidecars = [*filter(is_photo, names)], FolderSidecars(names)
        for name in photos:
            own = sidecars.of([name, *raw.get(_stem(name), ())])
            used.update(file for file, _ in own)
            self._add_photo(folder, name, own)
        pictured = set(map(_stem, photos))
        for name in names:
            if _suffix(name) in UNDECODED:
                self.skip(folder / name, "unread format")
            elif _suffix(name) not in RAW and not is_photo(name) and name not in used:
                self.others[_suffix(name)] += 1
            elif _suffix(name) in RAW and _stem(name) not in pictured:
                self.skip(folder / name, "raw file")

    def _add_photo(self, folder: Path, name: str, sidecars: Sequence[tuple[str, str]]) -> None:
        path = folder / name
        photo = path.relative_to(self.root).as_posix()
        try:
            photo.encode()
            state = _state([path, *(folder / file for file, _ in sidecars)])
        except UnicodeEncodeError:
            self.skip(path, "name is not UTF-8")
        except OSError as error:
            self.skip(path, "no such file", f"{error.strerror} ({Path(error.filename).name})")
        else:
            if not path.is_file():
                self.skip(path, "no such file", "it is neither a file nor a link to one")
                return
            task = PhotoTask(str(path), [(str(folder / file), owner) for file, owner in sidecars])
            self.photos.append(Listed(photo, task, state))

    def skip(self, path: Path, reason: str, detail: str | None = None) -> None:
        """Leaves a file or folder out."""
        name = os.fsencode(path.relative_to(self.root).as_posix()).decode("utf-8", "replace")
        self.left_out.append(LeftOut(name, reason, f"{name}: {detail}" if detail else name))

    def skip_folder(self, error: OSError) -> None:
        """Leaves out a folder that cannot be listed."""
        self.skip(Path(error.filename), "unreadable folder", error.strerror)


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()


def _stem(name: str) -> str:
    return PurePath(name).stem.lower()


def _state(files: Sequence[Path]) -> str:
    stats = ((file.name, file.stat()) for file in files)
    return repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])
