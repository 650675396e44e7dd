"""The interface of every form of corpus: from its files to batches of rows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

from pipeline.config import Config
from pipeline.data.schema import PHOTO, REASON, TAGS, TIME, USER
from pipeline.errors import InputError, SettingError

ADDRESS = "address"
"""The column of a photo's URL."""
ROW_TYPES = {USER: pl.String, PHOTO: pl.String, TAGS: pl.List(pl.String), TIME: pl.Int64, REASON: pl.String}
"""The columns of a batch: time in ms, null where unknown; reason null where nothing speaks against the row."""


@dataclass(frozen=True)
class Batch:
    """Rows of a corpus in the order of its files."""

    rows: pl.DataFrame
    """The columns of ROW_TYPES; LATITUDE and LONGITUDE where the form has positions; ADDRESS where it is asked for."""
    place: Callable[[int], str]
    """Returns the place of a row, given by its number in the batch, in the files."""


class Form(Config, ABC):
    """A layout of files, chosen by its `kind`."""

    kind: str
    has_addresses: ClassVar[bool] = False
    """True when rows have the URLs of photos at Flickr."""
    has_places: ClassVar[bool] = False
    """True when rows can say where photos were taken."""

    @property
    def encoded(self) -> str:
        """A regular expression that is found in each tag that `decode` may change."""
        return "^$"

    @abstractmethod
    def find(self, folder: Path, names: Sequence[str] | None) -> list[Path]:
        """Finds the files of posts in the corpus's folder; `names` replaces the published names.

        Raises InputError, with the remedy, when one is missing.
        """

    def published(self, folder: Path) -> list[Path]:
        """Lists the files of a folder that have the published names."""
        try:
            return self.find(folder, None)
        except InputError:
            return []

    def candidates(self, folder: Path) -> list[Path]:
        """Lists the files of a folder that may be the corpus's."""
        return self.published(folder)

    def companions(self, folder: Path) -> list[Path]:  # noqa: ARG002
        """Lists the other files that are read with those of posts."""
        return []

    @abstractmethod
    def fits(self, path: Path) -> bool:
        """Recognises a file of posts by its first bytes."""

    @abstractmethod
    def read(self, files: Sequence[Path], addresses: bool) -> Iterator[Batch]:
        """Yields all rows of the files that `find` found, a batch at a time, with addresses where asked for."""

    def decode(self, tags: pl.Series, folder: Path) -> pl.Series:  # noqa: ARG002
        """Decodes distinct tags, for a form that encodes them; `folder` is the corpus's."""
        return tags

    def pictures(self, photos: pl.DataFrame, folder: Path) -> list[str]:  # noqa: ARG002
        """Returns the file of each photo's picture, below the corpus's folder.

        photos: photo, and ADDRESS where the form has addresses. Raises SettingError for a form without pictures.
        """
        raise SettingError("photos", "is 'folder', but this corpus comes without pictures: choose null.")


def find_named(folder: Path, names: Sequence[str]) -> list[Path]:
    """Finds files by their names or patterns such as `part-*.tsv`, sorted within each. Raises InputError."""
    found = []
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise SettingError("files", f"has {name!r}, which leads out of {folder}: put the file inside.")
        # A name that exists is meant as it is, whatever characters it has.
        matching = [folder / name] if (folder / name).is_file() else sorted(folder.glob(name))
        files = [path for path in matching if path.is_file()]
        if not files:
            raise InputError(f"{folder} has no file {name}: put it there, as it is published.")
        found += files
    return found
