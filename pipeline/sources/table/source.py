"""A table of your own: files of posts, with users, photos and tags, and a folder of photos."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from pipeline.data.schema import DETAIL, PHOTO, REASON
from pipeline.sources.base import Crawled, CrawlTask, Recognised, Source
from pipeline.sources.photo_files import pack_folder
from pipeline.sources.table.config import TableSettings
from pipeline.sources.table.posts import check_table, leave_out, read_table
from pipeline.sources.table.recognise import recognise_table


class TableSource(TableSettings, Source):
    """A table of your own: files of posts, and a folder of photos."""

    reads_files: ClassVar[bool] = True

    @classmethod
    def recognise(cls, path: Path, given: Mapping[str, Any]) -> Recognised | None:
        """Recognises a table, or a folder with one and perhaps photos, see `Source.recognise`."""
        return recognise_table(path, given)

    @property
    def has_photos(self) -> bool:
        return self.photos is not None

    @property
    def has_places(self) -> bool:
        return self.latitude is not None

    @property
    def gives_split(self) -> bool:
        return bool(self.split or self.test_files)

    def check(self, data: Path) -> None:
        check_table(self, data)

    def read_posts(self, task: CrawlTask) -> Crawled:
        """Reads the posts whose photos have a file, see `read_table`."""
        crawled, _ = read_table(self, task.data)
        return crawled

    def collect(self, task: CrawlTask) -> Crawled:
        """Collects the posts of `read_posts` whose photos can be had, and leaves out the others.

        Reasons are those of `read_table` and `pack_folder`. A table without photos keeps all posts, and packs nothing.
        """
        crawled, found = read_table(self, task.data)
        posts, files = crawled.posts, {}
        if found:
            files = {photo: found.files[photo] for photo in posts[PHOTO].unique()}
        failures = pack_folder(files, task.data / (self.photos or ""), task.photos, task.work, preparing=task.preparing)
        where = pl.format("{}/{}", pl.lit(self.photos), PHOTO).alias(DETAIL)
        reason = pl.col(PHOTO).replace_strict(failures, default=None, return_dtype=pl.String).alias(REASON)
        return leave_out(posts.with_columns(reason, where), crawled.left_out)
