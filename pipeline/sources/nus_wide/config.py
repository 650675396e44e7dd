"""The settings of the NUS-WIDE source."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from pipeline.config import Config

Text = Annotated[str, StringConstraints(min_length=1)]


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in url:
        raise ValueError("an address is http:// or https:// with a host and at most a path, such as https://host/path")
    return url


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it stands in a line of each request: leave out line breaks and control characters")
    return text


Address = Annotated[str, AfterValidator(_web_address)]


class NusWideConfig(Config):
    """Where the official lists lie in the source's folder, where owners and tags come from, and how Flickr is asked."""

    urls: Text = Field(description="The list of photos' addresses: NUS-WIDE-urls.txt.")
    all_tags: Text = Field(description="The list of photos' tags: All_Tags.txt.")
    image_list: Text = Field(description="The list of photos: Imagelist.txt.")
    tag_list: Text | None = Field(description="A list of tags, TagList1k.txt, to keep no others; null keeps all.")
    owners_file: Text | None = Field(
        description="A file of photo<TAB>owner (a third column is not read); null asks Flickr's API for the owners."
    )
    tags: Literal["lists", "api", "api-authors"] = Field(
        description="Tags from the lists, or from Flickr's API: the owner's (api), or those of everyone who tagged "
        "the photo, who then has a post of it (api-authors)."
    )
    api_url: Address = Field(description="Flickr's API.")
    photo_url: Address = Field(description="Flickr's image host.")
    api_rate: float = Field(gt=0, description="Queries of the API a second, at most; Flickr allows 3,600 an hour.")
    photo_rate: float = Field(gt=0, description="Photos fetched a second, at most.")
    in_flight: int = Field(ge=1, le=64, description="Photos worked on at once.")
    timeout: float = Field(gt=0, description="Seconds that a request may take, body included.")
    attempts: int = Field(ge=1, description="Requests for the same thing in a row before it is put off.")
    backoff: float = Field(ge=0, description="Seconds before the second attempt; doubled for each further one.")
    passes: int = Field(ge=1, description="How often a run comes back to what was put off before it is an http error.")
    refusals: int = Field(
        ge=1, description="Photos that a host may refuse in a row, without a fault of their own; then the crawl stops."
    )
    contact: Annotated[Text, AfterValidator(_printable)] | None = Field(
        description="An address of yours that the user agent names; null names none."
    )

    @property
    def asks_api(self) -> bool:
        """True when owners or tags are Flickr's API's."""
        return self.owners_file is None or self.tags != "lists"
