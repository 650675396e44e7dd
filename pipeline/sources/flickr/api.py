"""Flickr's API: a client for any of its methods, and the answer of `flickr.photos.getInfo`."""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, ValidationError

from pipeline.errors import CredentialError
from pipeline.sources.flickr.answers import Flag, Plain, Text, as_object, as_text
from pipeline.sources.flickr.host import Answer, Host, Visit, unexpected
from pipeline.sources.flickr.outcome import NOT_FOUND, PRIVATE, Failure, Oddity, Refusal, Unusable

T = TypeVar("T")

KEY_VARIABLE = "FLICKR_API_KEY"
"""The environment variable that holds the key of the API."""
KEYS_PAGE = "https://www.flickr.com/services/api/keys"
"""The page where Flickr issues keys."""
INVALID_KEY = "100"
TRANSIENT = {"105": "service unavailable", "106": "operation failed", "201": "service refused"}
"""Codes of trouble on Flickr's side, for every method."""
GET_INFO = {"1": NOT_FOUND, "2": PRIVATE}
"""Codes of `getInfo` that no later call changes, with the status that each gives the photo."""


class _Owner(BaseModel):
    nsid: Text


class _Tag(BaseModel):
    author: Text = ""
    content: Text = Field("", alias="_content")
    machine_tag: Flag = False


class _Tags(BaseModel):
    # Anything but an object becomes a tag with neither author nor content.
    tag: list[Annotated[_Tag, BeforeValidator(as_object)]]


class _Dates(BaseModel):
    posted: Text = ""


class _Photo(BaseModel):
    id: Text
    owner: _Owner
    tags: _Tags
    server: Text
    secret: Text
    dates: Annotated[_Dates, BeforeValidator(as_object)] = _Dates()


class _InfoAnswer(BaseModel):
    photo: _Photo


class PhotoInfo(BaseModel):
    """The part of getInfo's answer that is kept."""

    owner: str
    """The owner's id."""
    tags: list[tuple[str, str]]
    """Pairs of author's id and tag, without machine tags and what cannot be a name."""
    server: Plain
    """The part of the picture's address that names the server."""
    secret: Plain
    """The part of the picture's address that is hard to guess."""
    posted: int | None
    """The time of upload in seconds since 1970, None where the answer has none."""

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any], asked: str) -> Self:
        """Reads an answer about the photo asked for, whatever JSON it holds. Raises Unusable when it is none.

        A malformed tag does not cost the photo its other tags.
        """
        try:
            photo = _InfoAnswer.model_validate(answer).photo
            if photo.id != asked:
                raise Unusable("answer for another photo")
            if not photo.owner.nsid:
                raise Unusable("answer without an owner")
            posted = photo.dates.posted
            return cls(
                owner=photo.owner.nsid,
                tags=[
                    (tag.author, tag.content)
                    for tag in photo.tags.tag
                    if tag.machine_tag is False and tag.author and tag.content
                ],
                server=photo.server,
                secret=photo.secret,
                posted=int(posted) if posted.isascii() and posted.isdigit() and len(posted) < 12 else None,
            )
        except ValidationError:
            raise Unusable("unusable answer") from None


class FlickrApi:
    """A client of Flickr's API.

    It knows the form of calls and failures; requests, their rate and their retries are left to the host.
    """

    def __init__(self, host: Host, key: SecretStr):
        self.host = host
        self._key = key

    async def get_info(self, photo: str, visit: Visit) -> PhotoInfo:
        """Asks for a photo's owner, its tags with their authors, and its picture's address. Raises as `call` does."""
        return await self.call(
            "flickr.photos.getInfo",
            {"photo_id": photo},
            lambda answer: PhotoInfo.from_answer(answer, photo),
            visit,
            GET_INFO,
        )

    async def call(
        self,
        method: str,
        arguments: Mapping[str, str],
        read: Callable[[dict[str, Any]], T],
        visit: Visit,
        final: Mapping[str, str],
    ) -> T:
        """Calls a method of the API, and returns the result of `read`, which raises Unusable for an unusable answer.

        final: the codes of the method that no later call changes, with the status that each stands for. Raises Failure
        for those, Refusal for no usable answer (see `Host.get`), CredentialError for a key that Flickr does not know.
        """
        params = {"method": method, "api_key": self._key.get_secret_value(), "format": "json", "nojsoncallback": "1"}
        return await self.host.get(
            self.host.url, lambda answer: read(_parse(answer, final)), visit, {**params, **arguments}
        )


def _parse(answer: Answer, final: Mapping[str, str]) -> dict[str, Any]:
    """Returns the object that a successful call gave. Flickr's own messages are not repeated: they can hold the key."""
    if answer.status != 200:
        raise unexpected(answer)
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Refusal("answer is not JSON") from None
    match value:
        case {"stat": "ok"}:
            return value
        case {"stat": "fail", "code": given}:
            code = as_text(given)
        case _:
            raise Unusable("no answer of the API")
    if code == INVALID_KEY:
        raise CredentialError(f"Flickr does not know the API key in use; it gives others at {KEYS_PAGE}.", KEY_VARIABLE)
    if code in final:
        raise Failure(final[code], f"Flickr's code {code}")
    if code in TRANSIENT:
        raise Refusal(f"Flickr's code {code}, {TRANSIENT[code]}")
    if not 0 < len(code) < 6:
        raise Unusable("failure without a code")
    raise Oddity(f"Flickr's code {code}")
