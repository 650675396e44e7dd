"""Which models there are, and what each can be told."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config import Config
from pipeline.store import FeatureSet
from pipeline.training.config import TrainingOverrides


class FactorisationConfig(Config):
    """One of the eight models of the paper (Equations 4-7)."""

    kind: Literal["fm", "pitf"] = Field(description="One tag matrix for all contexts (fm), or one for each (pitf).")
    features: FeatureSet = Field(description="What the model sees of a photo besides who posted it.")
    training: TrainingOverrides = Field(
        default=TrainingOverrides(), description="Settings of training that differ from those for all models."
    )


class PopularConfig(Config):
    """Everyone gets the most popular tags."""

    kind: Literal["popular"] = Field(description="The tags in most training posts, for every post.")
    features: Literal["none"] = Field(description="This baseline sees no photo.")


class UserPopularConfig(Config):
    """Every user gets the tags that they use most."""

    kind: Literal["user_popular"] = Field(description="The user's most frequent tags, then the most popular ones.")
    features: Literal["none"] = Field(description="This baseline sees no photo.")


ModelConfig = Annotated[FactorisationConfig | PopularConfig | UserPopularConfig, Field(discriminator="kind")]
