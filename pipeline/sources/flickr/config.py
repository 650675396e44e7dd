"""The settings of a source that asks Flickr."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from pipeline.config import Config

Text = Annotated[str, StringConstraints(min_length=1)]


def _web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or "@" in url or not url.isprintable() or " " in url:
        raise ValueError("an address is http:// or https:// with a host and at most a path, such as https://host/path")
    return url


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it stands in a line of each request: leave out line breaks and control characters")
    return text


HOUR = 3600.0
"""Seconds that a request, or the pause before the next one, may take at most."""
Rate = Annotated[float, Field(ge=1 / HOUR, le=1e6)]
"""Requests a second."""
Address = Annotated[str, AfterValidator(_web_address)]


class FlickrConfig(Config):
    """Flickr's hosts, and the limits of requests to them."""

    api_url: Address = Field(description="Flickr's API.")
    photo_url: Address = Field(description="Flickr's image host.")
    api_rate: Rate = Field(description="Queries of the API a second, at most; Flickr allows 3,600 an hour.")
    photo_rate: Rate = Field(description="Photos fetched a second, at most.")
    in_flight: int = Field(ge=1, le=64, description="Photos worked on at once.")
    timeout: float = Field(gt=0, le=HOUR, description="Seconds that a request may take, body included.")
    attempts: int = Field(
        ge=1, le=100, description="Requests for the same thing, one after another, before it is put off."
    )
    backoff: float = Field(
        ge=0, le=HOUR, description="Seconds before the second attempt; doubled for each further one."
    )
    passes: int = Field(ge=1, description="Visits in one run to a photo that is put off, before it is an http error.")
    refusals: int = Field(
        ge=1, description="Photos that a host may refuse in a row, through no fault of theirs, before the crawl stops."
    )
    contact: Annotated[Text, AfterValidator(_printable)] | None = Field(
        description="An address of yours that the user agent names; null names none."
    )
