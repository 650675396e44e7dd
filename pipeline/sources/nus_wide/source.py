"""NUS-WIDE as a source."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import SecretStr

from pipeline.errors import SettingError
from pipeline.sources.base import Crawled, CrawlTask, Source
from pipeline.sources.nus_wide.config import NusWideConfig
from pipeline.sources.nus_wide.published import TABLE_2

# The modules that crawl are imported when they are needed: the HTTP client is slow to import.


class NusWideSource(NusWideConfig, Source):
    """NUS-WIDE's official lists, with owners and photos from Flickr."""

    published: ClassVar[Mapping[str, Mapping[str, int]]] = TABLE_2
    keeps_journal: ClassVar[bool] = True

    def check(self, data: Path) -> None:
        for field in ("image_list", "urls", "all_tags", "tag_list", "owners_file"):
            name = getattr(self, field)
            if name is not None and not (data / name).is_file():
                raise SettingError(field, f"is {name!r}; {data / name} does not exist: put it there (data/README.md).")

    def collect(self, task: CrawlTask) -> Crawled:
        """Collects the listed photos that have an owner, tags and a picture; the API's key is in the environment."""
        from pipeline.sources.flickr.api import KEY_VARIABLE
        from pipeline.sources.nus_wide.collect import collect

        key = os.environ.get(KEY_VARIABLE)
        return collect(self, task, SecretStr(key) if key else None)

    def status(self, work: Path) -> str:
        """Counts the photos of each status in the journal."""
        from pipeline.sources.flickr.journal import describe, journal_path

        return describe(journal_path(self, work))
