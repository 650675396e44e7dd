"""Pictures from Flickr's image host: from nowhere else, and never a placeholder such as "photo unavailable"."""

import hashlib
import re
from functools import partial
from urllib.parse import urljoin, urlsplit

from pipeline.sources.flickr.host import Answer, Host, Visit, unexpected
from pipeline.sources.flickr.outcome import (
    HTTP_ERROR,
    NOT_AN_IMAGE,
    NOT_FOUND,
    REFUSED_ADDRESS,
    UNAVAILABLE,
    Failure,
    Oddity,
)

IMAGE_HOSTS = re.compile(r"(?:[a-z0-9-]+\.)?(?:static\.flickr\.com|staticflickr\.com)")
"""Flickr's image hosts, old (farm1.static.flickr.com) and new (live.staticflickr.com)."""
PATH = re.compile(r"(?:/[\w~-][\w.~-]*)+", re.ASCII)
"""The form of a picture's path: no part of it is empty or begins with a dot."""
UNAVAILABLE_PATH = "photo_unavailable"
"""A part of any placeholder's path, on whatever host."""
UNAVAILABLE_SHA256 = {
    "258813f6cb1848bff71e41ecf4a5fea7ee2ffcf6275e1fcaf7fbdcb4224a5c3c",  # GIF, "currently unavailable", 8 languages
    "d21b89ec346673063dbc3f6906f1119d12fb0e45fd321b35a669813c983a07ac",  # JPEG, "no longer available"
}
"""Hashes of the placeholders that Flickr sends, with HTTP 200, for pictures that it does not show."""
SIGNATURES = (b"\xff\xd8\xff", b"GIF8", b"\x89PNG", b"RIFF")
"""The first bytes of the kinds of file that Flickr gives for a picture."""
REDIRECTS = 3


def listed_path(url: str, photo: str) -> str:
    """Returns the path of a photo's picture at one of Flickr's image hosts.

    Raises Failure for a URL elsewhere, and for one on these hosts that is not of this photo: a placeholder's.
    """
    try:
        parts = urlsplit(url)
        ours = (
            parts.scheme in ("http", "https")
            and parts.netloc.lower() == parts.hostname  # no user, no port
            and IMAGE_HOSTS.fullmatch(parts.hostname)
            and PATH.fullmatch(parts.path)
        )
    except ValueError:
        ours = False
    if not ours:
        raise Failure(REFUSED_ADDRESS, "not on Flickr's image hosts")
    if not _is_of(photo, parts.path):
        raise Failure(UNAVAILABLE, "by its address")
    return parts.path


def picture_path(server: str, photo: str, secret: str) -> str:
    """Returns the path of the picture whose longer side is 500 pixels."""
    return f"/{server}/{photo}_{secret}.jpg"


async def fetch(host: Host, path: str, photo: str, visit: Visit) -> bytes:
    """Fetches a photo's picture from a path of the image host. A few redirects are followed, on that host only.

    Raises Failure (not found, unavailable picture, http error) and Refusal. What a wall between us and the host can
    answer for every photo (a page, a redirect to one) is a Refusal: the photo fails only once others are given again.
    """
    url = _on(host, path)
    for _ in range(1 + REDIRECTS):
        found = await host.get(url, partial(_judge, host, url, photo), visit)
        if isinstance(found, bytes):
            return found
        url = found
    raise Failure(HTTP_ERROR, f"more than {REDIRECTS} redirects")


def _judge(host: Host, url: str, photo: str, answer: Answer) -> bytes | str:
    """Returns the picture in an answer, or the address that the answer redirects to."""
    if answer.status in (404, 410):
        raise Failure(NOT_FOUND, f"HTTP {answer.status} for the picture")
    if answer.status in (301, 302, 303, 307, 308):
        return _redirected(host, url, answer.headers.get("Location", ""), photo)
    if answer.status != 200:
        raise unexpected(answer)
    if hashlib.sha256(answer.body).hexdigest() in UNAVAILABLE_SHA256:
        raise Failure(UNAVAILABLE, "by its content")
    if not answer.body.startswith(SIGNATURES):
        raise Oddity("another kind of file", NOT_AN_IMAGE)
    return answer.body


def _redirected(host: Host, url: str, location: str, photo: str) -> str:
    """Returns the place on `host` that a redirect names, by its own address or by one of Flickr's."""
    try:
        target = urljoin(url, location)
        parts, own = urlsplit(target), urlsplit(host.url)
    except ValueError:
        raise Oddity("redirect to a broken address", REFUSED_ADDRESS) from None
    if UNAVAILABLE_PATH in parts.path:
        raise Failure(UNAVAILABLE, "by its redirect")
    if (parts.scheme, parts.netloc) != (own.scheme, own.netloc):
        try:
            return _on(host, listed_path(target, photo))
        except Failure as failure:
            raise Oddity(f"redirect: {failure.reason}", failure.status) from None
    if not PATH.fullmatch(parts.path):
        raise Oddity("redirect to a broken address", REFUSED_ADDRESS)
    if not _is_of(photo, parts.path):
        raise Oddity("by its redirect", UNAVAILABLE)
    return f"{own.scheme}://{own.netloc}{parts.path}"


def _is_of(photo: str, path: str) -> bool:
    """Recognises the path of the photo's picture: in each of its sizes, the file is named after the photo."""
    return path.rpartition("/")[2].startswith(f"{photo}_")


def _on(host: Host, path: str) -> str:
    return host.url.rstrip("/") + path
