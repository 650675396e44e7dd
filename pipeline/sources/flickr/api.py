"""Flickr's API: who owns a photo, who tagged it how, and where its picture lies (`flickr.photos.getInfo`)."""

import json
import unicodedata
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, SecretStr, ValidationError

from pipeline.sources.flickr.host import Answer, Host, Visit, unexpected
from pipeline.sources.flickr.outcome import NOT_FOUND, PRIVATE, Failure, Oddity, Refusal, Stopped

FINAL = {1: NOT_FOUND, 2: PRIVATE}
"""Codes of `getInfo` that no later call changes, and what they say of the photo."""
PASSING = {105: "service unavailable", 106: "operation failed", 201: "service refused"}
"""Codes of trouble on Flickr's side."""
INVALID_KEY = 100
LONGEST_TAG = 255
"""Characters; Flickr's own tags are shorter."""

Plain = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,64}$")]


class PhotoInfo(BaseModel):
    """What is kept of an answer: owner and tags with their authors (Flickr ids), the picture's place, time of upload.

    tags: (author, tag), without machine tags, empty tags and tags that hold control characters. posted: seconds since
    1970, None where the answer has none.
    """

    owner: str
    tags: list[tuple[str, str]]
    server: Plain
    secret: Plain
    posted: int | None

    @classmethod
    def from_answer(cls, photo: dict[str, Any]) -> Self:
        """From the `photo` of Flickr's answer. Raises ValueError, KeyError, TypeError, AttributeError if it is none."""
        owner = _clean(photo["owner"]["nsid"])
        own_words = [tag for tag in photo["tags"]["tag"] if not int(tag.get("machine_tag", 0))]
        found = [(_clean(tag["author"]), _clean(tag["_content"])) for tag in own_words]
        posted = str(photo.get("dates", {}).get("posted"))
        return cls(
            owner=owner,
            tags=[(author, tag) for author, tag in found if author and tag],
            server=str(photo["server"]),
            secret=str(photo["secret"]),
            posted=int(posted) if posted.isascii() and posted.isdigit() and len(posted) < 12 else None,
        )


class _Refused(BaseModel):
    stat: Literal["fail"]
    code: int


def _clean(text: str) -> str:
    """The text without white space around it; empty when it cannot be a name (control characters, endless)."""
    text = text.strip()
    odd = len(text) > LONGEST_TAG or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)
    return "" if odd else text


async def get_info(host: Host, key: SecretStr, photo: int, visit: Visit) -> PhotoInfo:
    """Asks for a photo. Raises Failure (not found, private, no usable answer), Refusal, and Stopped for a bad key."""
    params = {
        "method": "flickr.photos.getInfo",
        "api_key": key.get_secret_value(),
        "photo_id": str(photo),
        "format": "json",
        "nojsoncallback": "1",
    }
    return await host.get(host.url, lambda answer: _judge(answer, photo), visit, params)


def _judge(answer: Answer, asked: int) -> PhotoInfo:
    if answer.status != 200:
        raise unexpected(answer)
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Refusal("answer is not JSON") from None
    if not isinstance(value, dict):
        raise Oddity("unusable answer")
    if value.get("stat") != "ok":
        raise _refusal(value)
    try:
        info = PhotoInfo.from_answer(value["photo"])
        matches = str(value["photo"]["id"]) == str(asked)
    except (ValueError, KeyError, TypeError, AttributeError):  # pydantic's ValidationError is a ValueError.
        raise Oddity("unusable answer") from None
    if not info.owner or not matches:
        raise Oddity("answer without an owner" if matches else "answer for another photo")
    return info


def _refusal(value: dict[str, Any]) -> Exception:
    """What a failed call means. Flickr's own message is not repeated: it could hold what we sent."""
    try:
        code = _Refused.model_validate(value).code
    except ValidationError:
        return Oddity("unusable answer")
    if code == INVALID_KEY:
        return Stopped(
            "Flickr says that the API key is not valid: set FLICKR_API_KEY to one of "
            "https://www.flickr.com/services/api/keys, then run again."
        )
    if code in FINAL:
        return Failure(FINAL[code], f"Flickr's code {code}")
    if code in PASSING:
        return Refusal(f"Flickr's code {code}, {PASSING[code]}")
    return Oddity(f"Flickr's code {code}")
