"""NUS-WIDE as a source."""

import os
from pathlib import Path
from typing import ClassVar

from pydantic import SecretStr

from pipeline.sources.base import Crawled, CrawlTask, Source
from pipeline.sources.nus_wide.config import NusWideConfig


class NusWideSource(NusWideConfig, Source):
    """NUS-WIDE's official lists, with owners and photos from Flickr."""

    keeps_journal: ClassVar[bool] = True

    def collect(self, task: CrawlTask) -> Crawled:
        """Collects the listed photos that have an owner, tags and a picture (see `nus_wide.collect`)."""
        from pipeline.sources.nus_wide.collect import collect  # The HTTP client takes long to import.

        key = os.environ.get("FLICKR_API_KEY")
        secret = SecretStr(key) if key else None
        return Crawled(*collect(self, task.data, task.photos, task.work, secret, task.retry))

    def status(self, work: Path) -> str:
        """Counts the photos of each status."""
        from pipeline.sources.nus_wide.collect import status_lines

        return status_lines(self, work)
