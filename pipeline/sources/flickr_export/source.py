"""The export of one's own account at Flickr as a source."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from pipeline.errors import InputError
from pipeline.sources.base import Crawled, CrawlTask, Recognised, Source


class FlickrExportSource(Source):
    """The export of one's own account at Flickr: its zip files, or what is in them."""

    reads_files: ClassVar[bool] = True

    lowercase: bool = Field(description="True to make tags lower case, so that `Sea` and `sea` are one.")
    place: bool = Field(description="True to keep the places where photos were taken; false keeps them nowhere.")

    @classmethod
    def recognise(cls, path: Path, given: Mapping[str, Any]) -> Recognised | None:
        """Recognises the folder of an export, or one of its zip files, by the documents of its photos."""
        from pipeline.sources.flickr_export.recognise import recognise

        return recognise(path, given)

    def check(self, data: Path) -> None:
        from pipeline.sources.flickr_export.collect import MORE_FILES
        from pipeline.sources.flickr_export.recognise import has_photo_documents

        if not has_photo_documents(data):
            raise InputError(f"There is no export from Flickr in {data}: {MORE_FILES}.")

    @property
    def has_places(self) -> bool:
        return self.place

    def read_posts(self, task: CrawlTask) -> Crawled:
        """Reads the posts that have a picture in the export; no picture is decoded."""
        from pipeline.sources.flickr_export.collect import read_posts

        return read_posts(task.data, self.lowercase, self.place)

    def collect(self, task: CrawlTask) -> Crawled:
        """Collects the posts of `read_posts` whose pictures can be had, and packs these from the zip files."""
        from pipeline.sources.flickr_export.collect import collect

        return collect(task, self.lowercase, self.place)
