"""MIRFLICKR: a file of tags for each picture, and the owners in files of their own."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import Field

from pipeline.data.schema import PHOTO, REASON, TAGS, TIME, USER
from pipeline.errors import InputError
from pipeline.sources.corpus.fields import DAMAGED
from pipeline.sources.corpus.form import ROW_TYPES, Batch, Form

PHOTOS_PER_CHUNK = 10_000
"""Photos of a batch."""
OWNER = re.compile(r"flickr\.com/(?:photos|people)/([\w@-]+)|\b(\d+@N\d+)\b")
"""An owner in a text: the user's part of an address, or the user's id."""


class MirFlickr(Form):
    """A folder of pictures, and one with a text file of tags for each, one a line."""

    kind: Literal["mirflickr"] = Field(description="MIRFLICKR's folders.")
    tag_folders: list[str] = Field(min_length=1, description="Folders with files of tags; the first there counts.")
    tag_file: str = Field(description="The pattern of their files; the number in a name is the photo's id.")
    picture: str = Field(description="The pattern of the pictures' files; the number in a name is the photo's id.")
    owner_file: str = Field(description="A file with an owner on each line, in the order of the photos from 1.")
    licences: str = Field(description="The pattern of files that name the owner of one photo each.")

    def find(self, folder: Path, names: Sequence[str] | None) -> list[Path]:
        # The archives hold a folder of this name, which may be the one that is meant.
        for root in (folder, folder / "mirflickr"):
            for name in names or self.tag_folders:
                if next((root / name).glob(self.tag_file), None):
                    return [root / name]
        raise InputError(
            f"{folder} has no {' or '.join(names or self.tag_folders)} with files {self.tag_file}: unpack it there."
        )

    def fits(self, path: Path) -> bool:
        return path.is_dir() and next(path.glob(self.tag_file), None) is not None

    def read(self, files: Sequence[Path], addresses: bool) -> Iterator[Batch]:  # noqa: ARG002 (there are none)
        for folder in files:
            owners = self._owners(self._root(folder))
            tags = _numbered(folder.glob(self.tag_file))
            photos = sorted(tags, key=int)
            for start in range(0, len(photos), PHOTOS_PER_CHUNK):
                chunk = photos[start : start + PHOTOS_PER_CHUNK]
                columns = {USER: pl.String, PHOTO: pl.String, TAGS: ROW_TYPES[TAGS], REASON: pl.String}
                rows = [(owners.get(photo), photo, *_tags(tags[photo])) for photo in chunk]
                frame = pl.DataFrame(rows, columns, orient="row")
                yield Batch(
                    frame.with_columns(pl.lit(None, pl.Int64).alias(TIME)),
                    partial(_place, folder, [tags[photo] for photo in chunk]),
                )

    def pictures(self, photos: pl.DataFrame, folder: Path) -> list[str]:
        files = _numbered(self._root(self.find(folder, None)[0]).glob(self.picture))
        return [str(files[photo].relative_to(folder)) if photo in files else photo for photo in photos[PHOTO]]

    def _root(self, tags: Path) -> Path:
        """Returns the corpus's own folder, which holds that of the tags."""
        return next(root for root in tags.parents if any((root / name).is_dir() for name in self.tag_folders))

    def _owners(self, root: Path) -> Mapping[str, str]:
        """Reads the owners of photos. Raises InputError when there are none."""
        listed = root / self.owner_file
        if listed.is_file():
            texts = enumerate(listed.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        else:
            texts = ((photo, _read(path) or "") for photo, path in _numbered(root.glob(self.licences)).items())
        owners = {str(photo): found[1] or found[2] for photo, text in texts if (found := OWNER.search(text))}
        if not owners:
            raise InputError(
                f"{root} names no owners, in {self.owner_file} or {self.licences}, and without them no tag is "
                "anyone's: unpack the one or the other there."
            )
        return owners


def _numbered(paths: Iterator[Path]) -> dict[str, Path]:
    """Returns files by the last number in their names, without leading zeros."""
    return {str(int(found[-1])): path for path in paths if (found := re.findall(r"\d+", path.stem))}


def _tags(path: Path) -> tuple[list[str], str | None]:
    """Reads the tags of a photo; returns the reason as well when they cannot be read."""
    text = _read(path)
    return ([], DAMAGED) if text is None else (text.splitlines(), None)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError):
        return None


def _place(folder: Path, files: Sequence[Path], row: int) -> str:
    return str(files[row].relative_to(folder))
