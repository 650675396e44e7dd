"""The interface of every source: from a configuration to posts and packed photos."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

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
    """Final statuses whose photos are asked for once more, for sources with a journal."""


@dataclass(frozen=True)
class Crawled:
    """The posts whose photos can be had, and what was left out."""

    posts: pl.DataFrame
    """user, photo, tags (distinct, at least one), and time or split where the source has them; sorted by user
    and photo."""
    left_out: pl.DataFrame
    """user, photo (null where unknown), reason, and detail where the source has it; sorted."""


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

    @abstractmethod
    def collect(self, task: CrawlTask) -> Crawled:
        """Collects posts, and packs their photos.

        Two calls give the same bytes, and a call after a kill -9 resumes. Raises InputError when what the source needs
        is missing or broken, and when no post is usable.
        """

    def status(self, work: Path) -> str:
        """Counts the photos of each status in the journal, even while a crawl writes it."""
        raise InputError(f"{type(self).__name__} keeps no journal in {work}.")
