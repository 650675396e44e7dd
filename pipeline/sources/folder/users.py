"""The rules by which a photo in a folder has a user."""

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.config import Config
from pipeline.data.names import LONGEST, check_visible, normalise
from pipeline.keywords.metadata import Metadata


class NamedUser(Config):
    """One user, to whom all photos belong."""

    kind: Literal["named"] = Field(description="All photos belong to one user.")
    name: Annotated[str, AfterValidator(check_visible)] = Field(min_length=1, description="The name of the user.")

    def user_of(self, photo: str, metadata: Metadata) -> str:  # noqa: ARG002
        return normalise(self.name)


class FirstFolder(Config):
    """The first folder on the way to a photo; a photo outside these folders has no user."""

    kind: Literal["first-folder"] = Field(description="The first folder on the way to the photo is its user.")

    def user_of(self, photo: str, metadata: Metadata) -> str | None:  # noqa: ARG002
        first, *others = PurePosixPath(photo).parts
        return normalise(first) or None if others else None


class Artist(Config):
    """The author named in the photo, or its camera's owner; a text too long for a name is ignored."""

    kind: Literal["artist"] = Field(description="The author or owner in the photo's file is its user.")

    def user_of(self, photo: str, metadata: Metadata) -> str | None:  # noqa: ARG002
        name = normalise(metadata.artist or "")
        return name if 0 < len(name) <= LONGEST else None


UserRule = Annotated[NamedUser | FirstFolder | Artist, Field(discriminator="kind")]
"""The rule by which photos have users."""
