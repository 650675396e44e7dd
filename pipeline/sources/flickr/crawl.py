"""The crawl of photos: what the API knows of each, and its picture."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pipeline.data.photo import SIDE, Photo, PhotoError, prepare
from pipeline.sources.flickr.api import FlickrApi, PhotoInfo
from pipeline.sources.flickr.host import Host, Visit
from pipeline.sources.flickr.journal import Journal
from pipeline.sources.flickr.outcome import NOT_FOUND, OK, Failure
from pipeline.sources.flickr.passes import Passes
from pipeline.sources.flickr.pictures import fetch, listed_path, picture_path

LARGEST_PICTURE = 50_000_000
"""Pixels of a picture, at most: requested ones have few, and many are a decompression bomb."""


@dataclass(frozen=True)
class Crawl(Passes):
    """One run of the crawl over the photos of a journal."""

    title: ClassVar[str] = "Crawling"
    unit: ClassVar[str] = "photos"

    journal: Journal
    """The photos, each with its status."""
    photos: Host
    """Flickr's image host."""
    api: FlickrApi | None
    """Flickr's API, which knows where the pictures are; None where it is not asked."""
    addresses: Mapping[str, str | None]
    """Pictures' URLs by photo for a crawl without the API; None where a photo has none."""
    in_flight: int
    passes: int

    @property
    def statuses(self) -> Journal:
        return self.journal

    async def ask(self, item: str, visit: Visit) -> None:
        info = await self._info(item, visit) if self.api else None
        picture = None
        if not self.journal.has_picture(item):
            picture = await self._picture(item, info, visit)
        self.journal.record(item, OK, visit.requests, "", picture)

    async def ask_for_witness(self, host: Host, visit: Visit) -> bool:
        witness = self.journal.witness()
        if witness is None:
            return False
        if host is self.photos:
            await fetch(host, self._path(witness, self.journal.info(witness)), witness, visit)
        else:
            await self.api.get_info(witness, visit)
        return True

    async def _info(self, photo: str, visit: Visit) -> PhotoInfo:
        info = self.journal.info(photo)
        if info is None:
            info = await self.api.get_info(photo, visit)
            self.journal.keep_info(photo, info)
        return info

    async def _picture(self, photo: str, info: PhotoInfo | None, visit: Visit) -> Photo:
        data = await fetch(self.photos, self._path(photo, info), photo, visit)
        try:
            return await asyncio.to_thread(prepare, photo, data, SIDE, LARGEST_PICTURE)
        except PhotoError as error:
            raise Failure(error.reason, "") from None

    def _path(self, photo: str, info: PhotoInfo | None) -> str:
        """Returns the path of a photo's picture on the image host. Raises Failure when none is known."""
        if self.api and info:
            return picture_path(info.server, photo, info.secret)
        if address := self.addresses.get(photo):
            return listed_path(address, photo)
        raise Failure(NOT_FOUND, "no address in the lists")
