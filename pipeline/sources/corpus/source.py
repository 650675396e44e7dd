"""Published corpora as a source."""

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field, field_validator

from pipeline.data.left_out import count_reasons
from pipeline.data.schema import DETAIL, PHOTO, POST, REASON, ROWS, TIME, USER
from pipeline.errors import InputError, SettingError
from pipeline.sources.base import Crawled, CrawlTask, Recognised, Source
from pipeline.sources.corpus.description import Corpus, load, names
from pipeline.sources.corpus.form import ADDRESS, Batch
from pipeline.sources.corpus.gathered_posts import GatheredPosts
from pipeline.sources.corpus.left_out import TYPES
from pipeline.sources.flickr.config import FlickrConfig, Text
from pipeline.sources.photo_files import pack_folder

logger = logging.getLogger(__name__)

LOG_EVERY = 10.0
"""Seconds between two lines on the progress of reading."""
MISSING, FEW_POSTS = "missing", "user with few posts"
"""Reasons: rows that the published corpus has and the files do not; the posts of users below `users_at_least`."""


class CorpusSource(FlickrConfig, Source):
    """A published corpus: YFCC100M, MIRFLICKR, Jingwei's collections, or a folksonomy without photos."""

    keeps_journal: ClassVar[bool] = True
    reads_files: ClassVar[bool] = True

    corpus: Text = Field(description="The corpus: a name in pipeline/sources/corpus/corpora.")
    files: list[Text] | None = Field(min_length=1, description="Names of its files; null for the published ones.")
    photos: Literal["folder", "flickr"] | None = Field(
        description="Pictures from the corpus's own folder, or by URL from Flickr; null packs none."
    )
    users_at_least: int = Field(ge=1, description="Posts of a user; users with fewer are left out.")

    @field_validator("corpus")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in names():
            raise ValueError(f"it must be one of {', '.join(names())}")
        return name

    @classmethod
    def recognise(cls, path: Path, given: Mapping[str, Any]) -> Recognised | None:
        from pipeline.sources.corpus.recognition import recognise

        return recognise(path, given)

    @property
    def has_photos(self) -> bool:
        return self.photos is not None

    @property
    def has_places(self) -> bool:
        return load(self.corpus).form.has_places

    def check(self, data: Path) -> None:
        load(self.corpus).form.find(data, self.files)

    def read_posts(self, task: CrawlTask) -> Crawled:
        posts, left_out, _ = self._read(task.data)
        return Crawled(posts, left_out)

    def collect(self, task: CrawlTask) -> Crawled:
        """Reads the posts, and packs the pictures that are asked for; posts without their picture are left out.

        Reasons are those of `pack_folder`, and of Flickr's journal.
        """
        posts, left_out, addresses = self._read(task.data)
        if self.photos is None:
            pack_folder({}, task.data, task.photos, task.work)
            return Crawled(posts, left_out)
        photos = posts.select(pl.col(PHOTO).unique().sort())
        if addresses is not None:
            photos = photos.join(addresses, on=PHOTO, how="left", maintain_order="left")
        failures = self._pack(photos, task)
        failed = pl.DataFrame(
            [(photo, *why) for photo, why in failures.items()],
            {PHOTO: pl.String, REASON: pl.String, DETAIL: pl.String}, orient="row",
        )  # fmt: skip
        without = posts.select(POST).join(failed, on=PHOTO).with_columns(pl.lit(1, pl.Int64).alias(ROWS))
        posts = posts.join(failed, on=PHOTO, how="anti", maintain_order="left")
        return _usable(self.corpus, posts, [left_out, without])

    def status(self, work: Path) -> str:
        """Counts the photos of each status in the journal of pictures from Flickr."""
        from pipeline.sources.flickr.journal import describe, journal_path

        return describe(journal_path(self, work))

    def _read(self, data: Path) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame | None]:
        """Reads posts, what is left out, and photos with their ADDRESS where pictures are asked for by it."""
        corpus, addresses = load(self.corpus), []
        gathered = GatheredPosts(lambda tags: corpus.form.decode(tags, data), corpus.form.encoded)
        _check_archive(corpus, data)
        asks_addresses = self.photos is not None and corpus.form.has_addresses
        if self.photos == "flickr" and not corpus.form.has_addresses:
            raise SettingError("photos", f"is 'flickr', but {self.corpus} has no addresses of photos: choose null.")
        for batch in _ahead(corpus.form.read(corpus.form.find(data, self.files), asks_addresses)):
            gathered.add(batch)
            if asks_addresses:
                addresses.append(batch.rows.select(PHOTO, ADDRESS))
        posts = gathered.finish()
        if TIME in posts.columns and (timeless := posts[TIME].null_count()):
            logger.info("%s of %s posts have no time, or none that can be read", f"{timeless:,}", f"{len(posts):,}")
        left_out = gathered.left_out
        if corpus.rows is not None and gathered.rows != corpus.rows:
            logger.warning("%s has %s rows; %s are published", self.corpus, f"{gathered.rows:,}", f"{corpus.rows:,}")
            if gathered.rows < corpus.rows:
                missing = corpus.rows - gathered.rows
                left_out.note(MISSING, missing, f"{gathered.rows:,} of the {corpus.rows:,} published rows are here")
        if self.users_at_least > 1:
            few = posts.filter(pl.len().over(USER) < self.users_at_least)
            if len(few):
                left_out.add(FEW_POSTS, len(few), f"user {few[USER][0]}")
            posts = posts.filter(pl.len().over(USER) >= self.users_at_least)
        crawled = _usable(self.corpus, posts, [left_out.frame()])
        return (
            crawled.posts,
            crawled.left_out,
            pl.concat(addresses).unique(PHOTO, keep="first") if asks_addresses else None,
        )

    def _pack(self, photos: pl.DataFrame, task: CrawlTask) -> Mapping[str, tuple[str, str]]:
        """Packs the pictures of photos; returns reason and detail of those that cannot be had."""
        if self.photos == "flickr":
            from pipeline.sources.corpus.pictures import pack_from_flickr

            return pack_from_flickr(self, photos, task)
        names = load(self.corpus).form.pictures(photos, task.data)
        files = dict(zip(photos[PHOTO], names, strict=True))
        failures = pack_folder(files, task.data, task.photos, task.work, preparing=task.preparing)
        return {photo: (reason, files[photo]) for photo, reason in failures.items()}


def _usable(name: str, posts: pl.DataFrame, left_out: Iterable[pl.DataFrame]) -> Crawled:
    """Returns posts and what was left out. Raises InputError when there is no post."""
    left_out = pl.concat(frame.select(list(TYPES)) for frame in left_out).sort(list(TYPES))
    if posts.is_empty():
        why = ", ".join(f"{reason} ({rows:,})" for reason, rows in count_reasons(left_out).items())
        raise InputError(f"The corpus {name} has no usable post: {why or 'its files are empty'}.")
    return Crawled(posts, left_out)


def _check_archive(corpus: Corpus, folder: Path) -> None:
    """Raises InputError when the archive that the corpus was unpacked from is there, and is not the published one."""
    archive = corpus.archive and folder / corpus.archive.name
    if not archive or not archive.is_file() or corpus.archive.md5 is None:
        return
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != corpus.archive.md5:
        raise InputError(f"{archive} has the MD5 {found}; {corpus.archive.md5} is published: fetch it again.")


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yields batches, the next of which is read meanwhile, and logs the number of rows now and then."""
    rows, last = 0, time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(next, batches, None)
        while batch := reading.result():
            reading = pool.submit(next, batches, None)
            yield batch
            rows += len(batch.rows)
            if time.monotonic() - last > LOG_EVERY:
                logger.info("%s rows read", f"{rows:,}")
                last = time.monotonic()
