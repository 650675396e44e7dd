"""The connection to Flickr's two hosts, as configured."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from pipeline.sources.flickr.api import FlickrApi
from pipeline.sources.flickr.config import FlickrConfig
from pipeline.sources.flickr.host import Host, Manners, session


@asynccontextmanager
async def connect(config: FlickrConfig, key: SecretStr | None) -> AsyncIterator[tuple[Host, FlickrApi | None]]:
    """Connects to the image host and to the API, which is None without a key."""
    manners = {name: getattr(config, name) for name in ("attempts", "backoff", "refusals")}
    async with session(config.in_flight, config.timeout, config.contact) as http:
        photos = Host(http, config.photo_url, Manners(config.photo_rate, **manners))
        api = Host(http, config.api_url, Manners(config.api_rate, **manners)) if key else None
        yield photos, api and FlickrApi(api, key)
