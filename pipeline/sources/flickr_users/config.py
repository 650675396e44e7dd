"""The settings of the source that lists photos of Flickr's users and groups."""

from typing import Literal

from pydantic import Field

from pipeline.sources.flickr.config import FlickrConfig, Text


class FlickrUsersConfig(FlickrConfig):
    """Users and groups, and the photos of theirs that count."""

    users: list[Text] = Field(description="Users: ids such as 12@N00, addresses of their pages or the ends, or names.")
    groups: list[Text] = Field(
        description="Groups, whose pools hold photos of many users: ids, addresses or their ends."
    )
    file: Text | None = Field(
        description="A file in the source's folder with more of them, one a line; null for none. A line counts as a "
        "user unless it is the address of a group's page."
    )
    limit: int | None = Field(ge=1, description="Photos of each user or group, at most, the newest; null takes all.")
    user: Literal["id", "name"] = Field(
        description="The user of a post: the owner's id at Flickr, or the name that is shown, where no other has it."
    )
    time: Literal["taken", "uploaded"] = Field(description="The time of a post.")
    licences: list[int] | None = Field(description="Flickr's numbers of the licences to keep; null keeps all photos.")
