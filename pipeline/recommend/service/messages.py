"""The messages of the API: requests are checked when they are read, answers have these shapes."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from pipeline.config import Config
from pipeline.data.names import normalise

LONGEST = 255
"""Characters of a name, at most."""
MOST_TAGS = 100
"""Tags of a post, at most."""
MOST_SHOWN = 200
"""Suggestions on display, at most."""
HASH = r"^[0-9a-f]{64}$"
"""A SHA-256 in hexadecimal."""


def clean(name: str) -> str:
    """Normalises a name as sources do, so that XMP can hold it.

    Raises ValueError for a name that is empty, too long, or has line breaks or other control characters.
    """
    name = normalise(refuse_controls(name.strip()))
    if not 0 < len(name) <= LONGEST:
        raise ValueError(f"it has {len(name)} visible characters; it must have 1 to {LONGEST}")
    return name


def refuse_controls(text: str) -> str:
    """Returns the text unchanged. Raises ValueError for control characters, such as line breaks."""
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text):
        raise ValueError("it has a control character")
    return text


Name = Annotated[str, AfterValidator(clean)]
"""A user or a tag."""
Hash = Annotated[str, StringConstraints(pattern=HASH)]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Reason(Config):
    """A reason for a suggestion."""

    part: str = Field(description="The part of the score, such as the user's habits or an extractor.")
    score: float = Field(description="What the part adds to the score.")
    words: str = Field(description="The reason in words.")


class SuggestedTag(Config):
    """A tag that is suggested for a photo."""

    tag: str = Field(description="The tag.")
    score: float = Field(description="The model's score; of a word that only the user has, its probability.")
    probability: float = Field(description="The probability that the user would give the tag, 0 to 1.")
    why: list[Reason] = Field(description="The reasons, largest first; their scores sum to the tag's.")


class SuggestedPhoto(Config):
    """The answer for one photo: suggestions, or the reason why there are none."""

    hash: str = Field(description="The SHA-256 of the file: the photo's name in later requests.")
    suggestions: list[SuggestedTag] = Field([], description="Suggestions, most probable first.")
    unplaced: bool = Field(
        False, description="True when the model sees places, and the photo does not say where it was taken."
    )
    error: str | None = Field(None, description="The reason why the photo has no suggestions.")


class Suggestions(Config):
    """Suggestions for the photos of a request, in their order."""

    photos: list[SuggestedPhoto] = Field(description="An answer for each photo.")


class Query(Config):
    """A request for suggestions."""

    user: Name | None = Field(None, description="The user; null, or one not known, has the picture alone.")
    given: tuple[Name, ...] = Field((), max_length=100, description="Tags that the photos have already.")
    exclude: tuple[Name, ...] = Field((), max_length=1000, description="Tags that must not be suggested.")
    count: int = Field(10, ge=1, le=100, description="The number of suggestions for each photo.")


class Rank(Query):
    """A request for suggestions for photos that were sent earlier."""

    photos: tuple[Hash, ...] = Field(min_length=1, max_length=64, description="The hashes of the photos.")


class ShownTag(Config):
    """A suggestion that was on display."""

    tag: Name = Field(description="The tag.")
    probability: Probability = Field(description="Its probability.")


class AcceptedPost(Config):
    """A photo with the tags that a person accepted."""

    id: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{8,64}$")] = Field(
        description="A name for this post, made by the client, such as a UUID: sent again, it is accepted once."
    )
    user: Name = Field(description="The person.")
    photo: Hash = Field(description="The hash of a photo that was sent for suggestions.")
    name: Annotated[str, StringConstraints(max_length=LONGEST)] = Field("", description="The file's name, for exports.")
    tags: tuple[Name, ...] = Field(
        max_length=MOST_TAGS, description="The accepted tags; none takes an earlier post back."
    )
    shown: tuple[ShownTag, ...] = Field((), max_length=MOST_SHOWN, description="The suggestions that were on display.")


class Acceptance(Config):
    """The confirmation that a post is on the disk."""

    id: str = Field(description="The post's id.")
    new: bool = Field(description="False when the post was accepted before.")


class Person(Config):
    """A user whose habits are known."""

    name: str = Field(description="The user.")
    accepted: int = Field(description="Posts of theirs that were accepted here.")


class People(Config):
    """The known users."""

    users: list[Person] = Field(description="Sorted by name, those with accepted posts first.")


class KnownTag(Config):
    """A tag for completion."""

    tag: str = Field(description="The tag.")
    count: int = Field(description="The number of the user's posts that have it.")


class Completions(Config):
    """Tags that match what was typed."""

    tags: list[KnownTag] = Field(description="The user's own first, most used first.")


class About(Config):
    """The service, for clients that adapt to it."""

    name: str = Field(description="The name of the model.")
    labels: list[str] = Field(description="Remarks that must be shown wherever suggestions are.")
    pictures: bool = Field(
        description="True when suggestions depend on the photo; false when only users, times and tags count."
    )
    tags: int = Field(description="The number of tags that can be suggested.")
    formats: list[str] = Field(description="The accepted formats of photos; HEIC is HEIF.")
    photo_bytes: int = Field(description="Bytes of a photo's file, at most.")
    pixels: int = Field(description="Pixels of a photo, at most.")
    examples: list[str] = Field(description="The names of photos that the service has at hand to be tried.")


class Export(Config):
    """A request for accepted posts as a file."""

    user: Name = Field(description="The user.")
    format: Annotated[str, StringConstraints(pattern="^(csv|sidecars)$")] = Field(
        description="csv: a row for each tag; sidecars: a zip of XMP files."
    )
    photos: tuple[Hash, ...] | None = Field(None, max_length=20_000, description="Only these photos; null for all.")


class Refusal(Config):
    """The reason why a request was refused."""

    error: str = Field(description="One sentence.")
