"""The settings of the NUS-WIDE source."""

from typing import Literal

from pydantic import Field

from pipeline.sources.flickr.config import FlickrConfig, Text


class NusWideConfig(FlickrConfig):
    """The official lists in the source's folder, and the origin of owners and tags."""

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

    @property
    def asks_api(self) -> bool:
        """True when owners or tags come from Flickr's API."""
        return self.owners_file is None or self.tags != "lists"
