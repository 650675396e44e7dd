"""Which models there are, and what each can be told."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pipeline.config import Config
from pipeline.features.store import FeatureSet
from pipeline.training.config import TrainingOverrides, check_grid


class Tunable(Config):
    """A model with settings that are chosen on validation posts."""

    grid: dict[str, list[Any]] | None = Field(
        default=None, description="Values to try of this model's settings, all combinations; none: as `tuning` says."
    )

    @model_validator(mode="after")
    def grid_is_valid(self) -> Self:
        check_grid(self.grid or {}, lambda key, value: self.told({key: value}))
        return self

    def told(self, values: Mapping[str, Any]) -> Self:
        """The same model with some of its settings replaced, and nothing left to try."""
        return type(self).model_validate(self.model_dump() | {"grid": None} | dict(values))


class FactorisationConfig(Tunable):
    """One of the eight models of the paper (Equations 4-7)."""

    kind: Literal["fm", "pitf"] = Field(description="One tag matrix for all contexts (fm), or one for each (pitf).")
    features: FeatureSet = Field(description="What the model sees of a photo besides who posted it.")
    training: TrainingOverrides = Field(
        default=TrainingOverrides(), description="Settings of training that differ from those for all models."
    )

    def told(self, values: Mapping[str, Any]) -> Self:
        own = self.training.model_dump(exclude_none=True) | dict(values)
        return self.model_copy(update={"training": TrainingOverrides.model_validate(own), "grid": None})


class PopularConfig(Config):
    """Everyone gets the most popular tags."""

    kind: Literal["popular"] = Field(description="The tags in most training posts, for every post.")
    features: Literal["none"] = Field(description="This baseline sees no photo.")


class UserPopularConfig(Config):
    """Every user gets the tags that they use most."""

    kind: Literal["user_popular"] = Field(description="The user's most frequent tags, then the most popular ones.")
    features: Literal["none"] = Field(description="This baseline sees no photo.")


class CooccurrenceConfig(Tunable):
    """Users get the tags that go with their own tags, and with those of others for the photo."""

    kind: Literal["cooccurrence"] = Field(description="What co-occurs with the tags of the user, and of the photo.")
    features: Literal["none"] = Field(description="This baseline sees no photo.")
    personal: float = Field(ge=0, le=1, description="Weight of the user's tags; the photo's have the rest.")


class NeighboursConfig(Tunable):
    """A photo gets the tags of the training photos that look most like it."""

    kind: Literal["neighbours"] = Field(description="The nearest training photos vote for their tags.")
    features: Literal["image", "objects", "image+objects"] = Field(description="By what photos are near.")
    neighbours: int = Field(ge=1, description="How many photos vote (k).")


class ObjectNamesConfig(Config):
    """A photo gets the names of the objects in it, as an auto-tagger would give them to everyone."""

    kind: Literal["object_names"] = Field(description="The names of the detected objects, then the most popular tags.")
    features: Literal["objects"] = Field(description="What names are taken from.")


ModelConfig = Annotated[
    FactorisationConfig | PopularConfig | UserPopularConfig | CooccurrenceConfig | NeighboursConfig | ObjectNamesConfig,
    Field(discriminator="kind"),
]
