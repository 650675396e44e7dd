"""The pictures of a corpus: from its folder, or from Flickr's image host by their URLs."""

import asyncio
from collections.abc import Mapping

import polars as pl

from pipeline.data.schema import DETAIL, PHOTO
from pipeline.data.shards import pack
from pipeline.sources.base import CrawlTask
from pipeline.sources.corpus.form import ADDRESS
from pipeline.sources.flickr.client import connect
from pipeline.sources.flickr.config import FlickrConfig
from pipeline.sources.flickr.crawl import Crawl
from pipeline.sources.flickr.journal import STATUS, Journal, journal_path
from pipeline.sources.flickr.outcome import OK


def pack_from_flickr(config: FlickrConfig, photos: pl.DataFrame, task: CrawlTask) -> Mapping[str, tuple[str, str]]:
    """Fetches pictures by their URLs (photo, ADDRESS), and packs them; returns reason and detail of the others.

    The journal keeps what is fetched: a later call resumes. Raises InputError for a crawl that cannot continue.
    """
    with Journal.open(journal_path(config, task.work)) as journal:
        journal.expect(photos[PHOTO], {})
        if task.retry:
            journal.ask_again(task.retry)
        if journal.waiting():
            asyncio.run(_crawl(config, journal, dict(photos.select(PHOTO, ADDRESS).iter_rows())))
        journal.reject_placeholders()
        rows = journal.rows()
        pictures = rows.filter(pl.col(STATUS) == OK)[PHOTO]
        # The journal's connection serves one thread.
        broken = pack(pictures, journal.picture, task.photos, task.work, journal.key(), threads=1)
    failed = rows.filter(pl.col(STATUS) != OK)
    reasons = {photo: (reason, "") for photo, reason in broken.items()}
    return reasons | {
        photo: (status, detail) for photo, status, detail in failed.select(PHOTO, STATUS, DETAIL).iter_rows()
    }


async def _crawl(config: FlickrConfig, journal: Journal, addresses: Mapping[str, str | None]) -> None:
    async with connect(config, None) as (host, _):
        await Crawl(journal, host, None, addresses, config.in_flight, config.passes).run()
