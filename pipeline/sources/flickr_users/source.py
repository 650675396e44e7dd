"""Flickr's users and groups as a source."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import SecretStr

from pipeline.sources.base import Crawled, CrawlTask, Recognised, Source
from pipeline.sources.flickr_users.config import FlickrUsersConfig

# The modules that crawl are imported when they are needed: the HTTP client is slow to import.


class FlickrUsersSource(FlickrUsersConfig, Source):
    """Public photos of Flickr's users and groups, with the owners' tags."""

    keeps_journal: ClassVar[bool] = True

    @classmethod
    def recognise(cls, path: Path, given: Mapping[str, Any]) -> Recognised | None:
        """Recognises a text file of Flickr's ids and addresses of users and groups, one a line."""
        from pipeline.sources.flickr_users.names_file import recognise

        return recognise(path, given)

    def check(self, data: Path) -> None:
        from pipeline.sources.flickr_users.collect import wanted_lists

        wanted_lists(self, data)

    def read_posts(self, task: CrawlTask) -> Crawled:
        """Lists the photos without fetching a picture; the API's key is in the environment."""
        from pipeline.sources.flickr_users.collect import collect

        return collect(self, task, _key(), pictures=False)

    def collect(self, task: CrawlTask) -> Crawled:
        """Collects the listed photos that have tags and a picture; the API's key is in the environment."""
        from pipeline.sources.flickr_users.collect import collect

        return collect(self, task, _key())

    def status(self, work: Path) -> str:
        """Counts the users and groups, and the photos, of each status in the journal."""
        from pipeline.sources.flickr.journal import describe, journal_path
        from pipeline.sources.flickr_users.lists import describe_lists

        path = journal_path(self, work)
        return f"{describe_lists(path)}\n{describe(path)}"


def _key() -> SecretStr | None:
    from pipeline.sources.flickr.api import KEY_VARIABLE

    key = os.environ.get(KEY_VARIABLE)
    return SecretStr(key) if key else None
