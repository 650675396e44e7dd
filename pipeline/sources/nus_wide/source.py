"""NUS-WIDE as a source."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import SecretStr

from pipeline.errors import InputError, SettingError
from pipeline.sources.base import Crawled, CrawlTask, Recognised, Source
from pipeline.sources.nus_wide.config import NusWideConfig
from pipeline.sources.nus_wide.published import TABLE_2

# The modules that crawl are imported when they are needed: the HTTP client is slow to import.

OFFICIAL = ("All_Tags.txt", "Imagelist.txt")
"""The lists by which a folder is recognised, under the names that they are published with."""


class NusWideSource(NusWideConfig, Source):
    """NUS-WIDE's official lists, with owners and photos from Flickr."""

    published: ClassVar[Mapping[str, Mapping[str, int]]] = TABLE_2
    keeps_journal: ClassVar[bool] = True

    @classmethod
    def recognise(cls, path: Path, given: Mapping[str, Any]) -> Recognised | None:  # noqa: ARG003 (nothing is guessed)
        """Recognises the official lists, which a crawl must join: their posts cannot be looked at before."""
        if all((path / name).is_file() for name in OFFICIAL):
            raise InputError(
                f"{path} holds the official lists of NUS-WIDE, which have recipes of their own, nus-wide-1 and "
                "nus-wide-2: docs/nus-wide.md lists the steps from these files to results."
            )
        return None

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
