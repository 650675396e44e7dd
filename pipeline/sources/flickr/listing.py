"""Flickr's lists of photos: of a user, or of a group's pool, page by page, however they change meanwhile."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import BaseModel, ValidationError

from pipeline.sources.flickr.answers import Number, Object, Text, Words, as_object, milliseconds
from pipeline.sources.flickr.api import FlickrApi
from pipeline.sources.flickr.host import Visit
from pipeline.sources.flickr.names import is_machine_tag
from pipeline.sources.flickr.outcome import NO_GROUP, NO_USER, PRIVATE_GROUP, USER_DELETED, Failure, Unusable

Kind = Literal["people", "groups"]
"""The kinds of lists, as addresses of Flickr's pages have them: photos of a user, or in a group's pool."""

NSID = re.compile(r"[0-9]{1,20}@N[0-9]{2}")
"""The form of Flickr's ids of users and groups."""
ADDRESS = re.compile(r"https?://(?:www\.)?flickr\.com/(photos|people|groups)/[^/\s?#]+/?")
"""The form of the addresses of users' and groups' pages."""
ALIAS = re.compile(r"[\w-]+", re.ASCII)
"""The form of the names that such addresses end in."""
PHOTO_ID = re.compile(r"[1-9][0-9]{0,17}")

PER_PAGE = 500
"""Photos in a page: the most that Flickr gives."""
LATEST = 2**33
"""The time (s since 1970) before which all uploads lie: the year 2242."""
LAST_PAGE = 20_000
"""The last page that is requested: ten million photos."""
EXTRAS = "tags,machine_tags,owner_name,date_taken,date_upload,url_m,license,media"
"""All that is wanted of each photo, apart from its owner and its id."""


@dataclass(frozen=True)
class Methods:
    """The methods of the API that find and list the photos of users, or of groups."""

    find: str
    """Finds one by the address of its page."""
    named: str
    """The object in the answer that holds its id."""
    missing: str
    """The status when there is none."""
    list: str
    """Lists its photos."""
    argument: str
    """The argument that takes its id."""
    final: Mapping[str, str]
    """Codes that no later call changes, with the status that each gives the list."""


METHODS: Mapping[Kind, Methods] = {
    "people": Methods(
        find="flickr.urls.lookupUser",
        named="user",
        missing=NO_USER,
        list="flickr.people.getPhotos",
        argument="user_id",
        final={"1": NO_USER, "2": NO_USER, "5": USER_DELETED},
    ),
    "groups": Methods(
        find="flickr.urls.lookupGroup",
        named="group",
        missing=NO_GROUP,
        list="flickr.groups.pools.getPhotos",
        argument="group_id",
        final={"1": NO_GROUP, "2": PRIVATE_GROUP},
    ),
}
"""The methods by the kind of list."""


class ListedPhoto(BaseModel):
    """The part of a photo in a list that is kept."""

    photo: str
    """Its id."""
    owner: str
    """Its owner's id."""
    name: str
    """Its owner's name."""
    words: list[str]
    """Its tags as Flickr lists them: lower case, without blanks; none of a machine."""
    taken: int | None
    """The time when it was taken (ms since 1970), None where Flickr does not know it."""
    uploaded: int | None
    """The time of its upload (s since 1970), None where that is not a possible one."""
    address: str
    """The URL of its picture, whose longer side is 500 pixels; empty where there is none."""
    licence: int | None
    """The number that its licence has at Flickr."""
    media: str
    """`photo` or `video`."""

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> Self | None:
        """Reads one photo of an answer; returns None when it lacks an id or an owner."""
        given = _Photo.model_validate(answer)
        if not PHOTO_ID.fullmatch(given.id) or not given.owner:
            return None
        address = given.url_m
        if not address and given.server and given.secret:
            address = f"https://live.staticflickr.com/{given.server}/{given.id}_{given.secret}.jpg"
        machines = set(given.machine_tags)
        return cls(
            photo=given.id,
            owner=given.owner,
            name=given.ownername,
            words=[word for word in given.tags if word not in machines and not is_machine_tag(word)],
            taken=None if given.datetakenunknown == "1" else milliseconds(given.datetaken),
            uploaded=given.dateupload if given.dateupload is not None and given.dateupload < LATEST else None,
            address=address,
            licence=given.license,
            media=given.media,
        )


class Cursor(BaseModel):
    """The place in a list where a page begins."""

    page: int = 1
    """The page's number, from 1."""
    until: int | None = None
    """The time of upload (s since 1970) from which a user's pages are numbered, the newest first; None for now."""
    total: int | None = None
    """The photos in a group's pool at the last page."""


class Page(BaseModel):
    """A page of a list."""

    photos: list[ListedPhoto]
    """Its photos, in Flickr's order."""
    unusable: int
    """Photos that lack an owner, or an id of their own."""
    pages: int
    """The pages of the list, counted like the one that was asked for."""
    total: int
    """The photos of the list."""


class _Photo(BaseModel):
    id: Text = ""
    owner: Text = ""
    ownername: Text = ""
    tags: Words = []
    machine_tags: Words = []
    datetaken: Text = ""
    datetakenunknown: Text = ""
    dateupload: Number = None
    url_m: Text = ""
    server: Text = ""
    secret: Text = ""
    license: Number = None
    media: Text = ""


class _Photos(BaseModel):
    photo: list[Object]
    pages: Number = None
    total: Number = None


class _Listed(BaseModel):
    photos: _Photos


async def find(api: FlickrApi, kind: Kind, name: str, visit: Visit) -> str:
    """Finds the id of a user or group, who can be named in several ways.

    The id itself, the address of a page and the end of that name either; a user has a name as well. The end of an
    address goes before a name. Raises Failure when there is none.
    """
    if NSID.fullmatch(name):
        return name
    is_address = ADDRESS.fullmatch(name) is not None
    if is_address or ALIAS.fullmatch(name):
        address = name if is_address else f"https://www.flickr.com/{kind}/{name}/"
        try:
            return await _look_up(api, kind, METHODS[kind].find, {"url": address}, visit)
        except Failure:
            if is_address or kind == "groups":
                raise
    if kind == "groups":
        raise Failure(NO_GROUP, "a group is named by its id, or by its page's address or the end of that")
    return await _look_up(api, kind, "flickr.people.findByUsername", {"username": name}, visit)


async def list_page(
    api: FlickrApi, kind: Kind, owner: str, cursor: Cursor, visit: Visit, per_page: int | None = None
) -> Page:
    """Asks for a page of the public photos of a user or group, of `PER_PAGE` photos unless fewer are wanted.

    Raises Failure and Refusal (see `FlickrApi.call`).
    """
    methods = METHODS[kind]
    arguments = {
        methods.argument: owner,
        "extras": EXTRAS,
        "per_page": str(per_page or PER_PAGE),
        "page": str(cursor.page),
    }
    if cursor.until is not None:
        arguments["max_upload_date"] = str(cursor.until)
    return await api.call(methods.list, arguments, lambda answer: _read_page(answer, cursor), visit, methods.final)


def next_cursor(kind: Kind, cursor: Cursor, page: Page) -> Cursor | None:
    """Returns the place of the page after one, None after the last.

    A list changes while it is walked. A user's next page begins at the upload time of the last photo seen, so that
    neither newer photos nor deleted ones move it; that is also what passes the limits on the length of a list. A
    group's pages can only be numbered: when its pool has shrunk, photos moved to earlier pages, which are read again.
    """
    if kind == "groups" and cursor.total is not None and page.total < cursor.total and cursor.page > 1:
        moved = -(-(cursor.total - page.total) // PER_PAGE)
        return Cursor(page=max(1, cursor.page - moved), total=page.total)
    if cursor.page >= min(page.pages, LAST_PAGE) or not (page.photos or page.unusable):
        return None
    if kind == "groups":
        return Cursor(page=cursor.page + 1, total=page.total if cursor.total is None else min(cursor.total, page.total))
    dates = [photo.uploaded for photo in page.photos]
    is_sorted = bool(dates) and None not in dates and dates == sorted(dates, reverse=True)
    if is_sorted and (cursor.until is None or dates[-1] < cursor.until):
        return Cursor(until=dates[-1])
    return Cursor(page=cursor.page + 1, until=cursor.until)


async def _look_up(api: FlickrApi, kind: Kind, method: str, arguments: Mapping[str, str], visit: Visit) -> str:
    methods = METHODS[kind]

    def read(answer: dict[str, Any]) -> str:
        identity = as_object(answer.get(methods.named)).get("id")
        if not isinstance(identity, str) or not NSID.fullmatch(identity):
            raise Unusable("answer without an id")
        return identity

    return await api.call(method, arguments, read, visit, {"1": methods.missing})


def _read_page(answer: Mapping[str, Any], cursor: Cursor) -> Page:
    try:
        given = _Listed.model_validate(answer).photos
    except ValidationError:
        raise Unusable("answer without a list of photos") from None
    if given.pages is None or given.total is None:
        raise Unusable("answer without the number of pages")
    read = [ListedPhoto.from_answer(photo) for photo in given.photo]
    photos = list({photo.photo: photo for photo in read if photo is not None}.values())
    if cursor.until is not None and any((photo.uploaded or 0) > cursor.until for photo in photos):
        raise Unusable("newer photos than were asked for")
    return Page(photos=photos, unusable=len(read) - len(photos), pages=given.pages, total=given.total)
