"""A crawl of all photos of a Flickr on loopback."""

import asyncio

from pydantic import SecretStr

from pipeline.sources.flickr.api import FlickrApi
from pipeline.sources.flickr.crawl import Crawl
from pipeline.sources.flickr.host import Host, Manners, session
from pipeline.sources.flickr.journal import Journal
from tests.support.fake_flickr import KEY

MANNERS = Manners(rate=2000, attempts=3, backoff=0.01, refusals=40)


def crawl(
    path, fake, *, api=True, addresses=None, manners=MANNERS, key=KEY, timeout=1.0, in_flight=4, passes=2, never=None
):
    """Crawls all photos of the server; the journal's rows by photo (int)."""
    with Journal.open(path) as journal:
        journal.expect(map(str, fake.photos), {str(photo): why for photo, why in (never or {}).items()})

        async def run():
            async with session(in_flight, timeout, None) as http:
                photos = Host(http, fake.photo_url, manners)
                asked = FlickrApi(Host(http, fake.api_url, manners), SecretStr(key)) if api else None
                urls = {str(photo): url for photo, url in (addresses or {}).items()}
                await Crawl(journal, photos, asked, urls, in_flight, passes).run()

        try:
            asyncio.run(run())
            journal.reject_placeholders()
        finally:
            rows = {int(row["photo"]): row for row in journal.rows().iter_rows(named=True)}
    return rows


def listed(photo: int) -> str:
    """A photo's address as the lists have it."""
    return f"http://farm1.static.flickr.com/100/{photo}_a8107cb078.jpg"
