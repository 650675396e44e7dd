"""The interface of every source: from a configuration to posts and packed photos."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from pipeline.config import Config
from pipeline.data.shards import Preparing
from pipeline.errors import InputError


@dataclass(frozen=True)
class CrawlTask:
    """The folders that a source reads and writes, and the options of its work."""

    data: Path
    """The folder with what the source needs from outside."""
    photos: Path
    """The folder of packed photos, which appears when all are done (see `shards.pack`)."""
    work: Path
    """A folder for resumable work."""
    preparing: Preparing | None = None
    """The function that prepares image files elsewhere, for sources that read such files."""
    retry: tuple[str, ...] = ()
    """Final statuses whose photos are requested once more, for sources with a journal."""


@dataclass(frozen=True)
class Crawled:
    """The posts whose photos can be had, and what was left out."""

    posts: pl.DataFrame
    """user, photo, tags (distinct, at least one), and time, latitude and longitude, or split where the source has
    them; sorted by user and photo."""
    left_out: pl.DataFrame
    """user, photo (null where unknown), reason, and detail and rows (1 where it is lacking) where the source has them;
    sorted."""


@dataclass(frozen=True)
class Recognised:
    """Someone's data that a source can read: the place where they lie, and the settings to read them with."""

    folder: Path
    """The folder that holds all of them, which is the source's own from then on (`CrawlTask.data`)."""
    settings: Mapping[str, Any]
    """The settings that follow from the data, by field; all others stay as they are."""
    sentences: Sequence[str]
    """Sentences on what was seen: formats, encoding, columns, separators with examples, what cannot be read."""
    files: Sequence[Path] = ()
    """The files of the folder that count, where it holds much else; empty when all of it does."""
    photos: bool = True
    """True when there are photos, and not posts alone."""
    posts: Sequence[Path] = ()
    """The files of posts; empty where posts are in the photos themselves."""
    unused: Sequence[str] = ()
    """The names of a table's columns that no setting names."""


class Source(Config, ABC):
    """A place where posts and photos come from: its settings, and the way to collect them."""

    simulated: ClassVar[tuple[str, ...]] = ()
    """Sentences about what is simulated, for readers of the results."""
    labels: ClassVar[tuple[str, ...]] = ()
    """The same in a few words each, for wherever a result is shown."""
    published: ClassVar[Mapping[str, Mapping[str, int]]] = {}
    """Published sizes of its folksonomies (see `stats.table_2`), by recipe."""
    keeps_journal: ClassVar[bool] = False
    """True when each photo has a status that outlives a run, to be shown, and to ask for failures again."""
    reads_files: ClassVar[bool] = False
    """True when its photos are image files on this machine, which other machines may prepare."""

    @classmethod
    def recognise(cls, path: Path, given: Mapping[str, Any]) -> Recognised | None:  # noqa: ARG003
        """Recognises a file or folder of someone's by its form; returns None for data of another form.

        given: settings that are known already, by field. They are among those returned, and what follows from them is
        not guessed. Only so much is read as recognising takes. Raises InputError, with the remedy, for data of the
        source's form that cannot be read.
        """
        return None

    def read_posts(self, task: CrawlTask) -> Crawled:
        """Reads the posts without their photos, for a look at data that `recognise` accepts.

        Resumable like `collect`, which does not repeat what this has done. Raises InputError as it does.
        """
        raise InputError(f"{type(self).__name__} reads no posts without a crawl into {task.work}.")

    @property
    def has_photos(self) -> bool:
        """True for a source whose posts have photos."""
        return True

    @property
    def has_places(self) -> bool:
        """True for a source that can say where photos were taken."""
        return False

    @property
    def gives_split(self) -> bool:
        """True for a source that says which posts are for training, and which for the test."""
        return False

    def check(self, data: Path) -> None:
        """Checks that the source's folder can be read, without reading all of it.

        Raises InputError for a missing file, folder or column, SettingError for a setting that does not fit the data.
        """

    @abstractmethod
    def collect(self, task: CrawlTask) -> Crawled:
        """Collects posts, and packs their photos.

        Two calls give the same bytes, and a call after a kill -9 resumes. Raises InputError when what the source needs
        is missing or broken, and when no post is usable.
        """

    def status(self, work: Path) -> str:
        """Counts the photos of each status in the journal, even while a crawl writes it."""
        raise InputError(f"{type(self).__name__} keeps no journal in {work}.")
