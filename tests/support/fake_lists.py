"""The lists of a Flickr on loopback: users with photostreams, groups with pools, and the methods that ask for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PHOTOS = {"flickr.people.getPhotos": "user_id", "flickr.groups.pools.getPhotos": "group_id"}
LOOKING_UP = {"flickr.urls.lookupUser": False, "flickr.urls.lookupGroup": True, "flickr.people.findByUsername": False}


@dataclass
class FakeList:
    """A user with a photostream, or a group with a pool."""

    photos: list[int]
    """Its photos; a pool's newest ones come first, a photostream is sorted by time of upload."""
    name: str = ""
    alias: str = ""
    """The end of its page's address."""
    is_group: bool = False
    code: int | None = None
    """The code with which its photos are refused, such as 5 for a user who was deleted."""
    odd: Any = None
    """An answer in place of each of its pages."""
    replies: tuple[str, ...] = ()
    """Replies of the API, one for each page that is asked for."""


def find(lists: Mapping[str, FakeList], query: Mapping[str, str]) -> str | None:
    """Finds the list that a query means; None when there is none."""
    if argument := PHOTOS.get(query["method"]):
        return query[argument] if query[argument] in lists else None
    is_group = LOOKING_UP[query["method"]]
    for identity, known in lists.items():
        if known.is_group is is_group:
            ends = [end for end in (known.alias, identity) if end]
            if "url" in query and query["url"].rstrip("/").rpartition("/")[2] in ends:
                return identity
            if query.get("username") == known.name != "":
                return identity
    return None


def answer(photos: Mapping[int, Any], lists: Mapping[str, FakeList], query: Mapping[str, str]) -> dict[str, Any]:
    """Makes the answer of a method of lists."""
    identity = find(lists, query)
    if identity is None:
        return {"stat": "fail", "code": 2 if "user_id" in query else 1, "message": "not found"}
    known = lists[identity]
    if query["method"] not in PHOTOS:
        kind, name = ("group", "groupname") if known.is_group else ("user", "username")
        return {"stat": "ok", kind: {"id": identity, name: {"_content": known.name}}}
    if known.odd is not None:
        return known.odd
    if known.code is not None:
        return {"stat": "fail", "code": known.code, "message": "refused"}
    chosen, each, page = known.photos, int(query["per_page"]), int(query["page"])
    if not known.is_group:
        until = int(query.get("max_upload_date", 2**40))
        chosen = sorted(known.photos, key=lambda photo: (-photos[photo].uploaded, -photo))
        chosen = [photo for photo in chosen if photos[photo].uploaded <= until]
    shown = [_listed(photo, photos[photo], lists) for photo in chosen[(page - 1) * each : page * each]]
    counts = {"page": page, "pages": -(-len(chosen) // each), "perpage": each, "total": str(len(chosen))}
    return {"stat": "ok", "photos": {**counts, "photo": shown}}


def _listed(photo: int, known: Any, lists: Mapping[str, FakeList]) -> dict[str, Any]:
    owner = lists.get(known.owner)
    return {
        "id": str(photo),
        "owner": known.owner,
        "secret": "818406d0cd",
        "server": "4123",
        "title": "'; DROP TABLE photo; -- ../../etc/passwd",
        "ispublic": 1,
        "license": "4",
        "dateupload": str(known.uploaded),
        "datetaken": known.taken,
        "datetakengranularity": "0",
        "datetakenunknown": "0",
        "ownername": owner.name if owner else "",
        "tags": " ".join([*known.tags, "uploaded:by=flickrmobile"]),
        "machine_tags": "uploaded:by=flickrmobile",
        "media": "photo",
        "url_m": f"https://live.staticflickr.com/4123/{photo}_818406d0cd.jpg",
        **known.listed,
    }
