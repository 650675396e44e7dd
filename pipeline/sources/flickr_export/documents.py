"""The documents of an export: what Flickr wrote of each photo, and of the account."""

import json
import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator

from pipeline.data.names import normalise
from pipeline.data.positions import known_position
from pipeline.sources.flickr.answers import Text, as_list, as_object, as_text, milliseconds
from pipeline.sources.flickr.listing import NSID
from pipeline.sources.flickr.names import is_machine_tag

PHOTO_NAME = re.compile(r"photo_([1-9][0-9]{0,18})\.json")
"""The name of a photo's document."""
ACCOUNT_NAME = "account_profile.json"
"""The name of the account's document."""
PICTURE_NAME = re.compile(r"(?:.*_)?([1-9][0-9]{0,18})_o\.(?:jpe?g|png|gif|webp|tiff?)", re.IGNORECASE)
"""The name of a picture: title, id."""
VIDEO_NAME = re.compile(r"(?:.*_)?([1-9][0-9]{0,18})(?:_o)?\.(?:mp4|mov|avi|mpe?g|wmv|m4v|3gp)", re.IGNORECASE)
"""The name of a video."""
PAGE = re.compile(r"https?://(?:www\.)?flickr\.com/(?:photos|people)/([^/\s]+)/?.*")
"""The address of a page of an account, with the account's name or id."""
MICRODEGREES = re.compile(r"-?[0-9]{1,9}")
"""An angle in millionths of a degree."""


class DocumentError(Exception):
    """A document that is none; the message says why."""


class _Tag(BaseModel):
    tag: Text = ""
    user: Text | None = None


class _Position(BaseModel):
    latitude: Text = ""
    longitude: Text = ""

    def degrees(self) -> tuple[float, float] | None:
        angles = (self.latitude, self.longitude)
        if not all(map(MICRODEGREES.fullmatch, angles)):
            return None
        latitude, longitude = (int(angle) / 1_000_000 for angle in angles)
        return known_position(latitude, longitude)


def _listed(value: Any) -> list[Any]:
    """Returns a JSON array, or one of the single value in its place."""
    return value if isinstance(value, list) else [value]


class _Photo(BaseModel):
    photopage: Text = ""
    date_taken: Text = ""
    tags: Annotated[list[Annotated[_Tag, BeforeValidator(as_object)]], BeforeValidator(as_list)] = []
    geo: Annotated[list[Annotated[_Position, BeforeValidator(as_object)]], BeforeValidator(_listed)] = []


class Account(BaseModel):
    """The account whose export it is."""

    nsid: Text = ""
    """Its id."""
    profile_url: Text = ""
    """The address of its page."""

    @property
    def names(self) -> set[str]:
        """The ways to name it in an address."""
        return {name for name in (self.nsid, owner_of(self.profile_url)) if name}


class PhotoDocument(BaseModel):
    """The part of a photo's document that is kept."""

    owner: str
    """The name or id of the account in the address of the photo's page; empty where there is none."""
    tags: list[str]
    """The tags that the owner gave, sorted, without those of programs."""
    taken: int | None
    """The time when it was taken (ms since 1970)."""
    position: tuple[float, float] | None
    """The latitude and longitude where it was taken, in degrees."""


def read_account(data: bytes) -> Account:
    """Reads the account's document. Raises DocumentError."""
    account = Account.model_validate(_object(data))
    if not NSID.fullmatch(account.nsid):
        raise DocumentError("no nsid in it")
    return account


def read_photo(data: bytes, accounts: set[str]) -> PhotoDocument:
    """Reads a photo's document. Raises DocumentError.

    accounts: the names of the export's account. A tag is the owner's when it is theirs, or when nobody is named; Flickr
    notes the author of each tag by the address of a page.
    """
    photo = _Photo.model_validate(_object(data))
    owner = owner_of(photo.photopage)
    owners = (accounts | {owner}) - {""}  # No address names the owner, nor do many of the authors' own.
    own = {
        normalise(tag.tag)
        for tag in photo.tags
        if (tag.user is None or tag.user in owners or owner_of(tag.user) in owners) and not is_machine_tag(tag.tag)
    }
    position = next(filter(None, (each.degrees() for each in photo.geo)), None)
    taken = milliseconds(photo.date_taken)
    return PhotoDocument(owner=owner, tags=sorted(own - {""}), taken=taken, position=position)


def owner_of(address: str) -> str:
    """Returns the account in the address of a page; empty for another address."""
    found = PAGE.fullmatch(as_text(address))
    return found[1] if found else ""


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise DocumentError("not JSON") from None
    if not isinstance(value, dict):
        raise DocumentError("not a JSON object")
    return value
