"""Settings of models: those that all have, those of training, and grids of values to choose from."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Le
from pydantic import AfterValidator, Field, ValidationError, create_model, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails

from pipeline.config import Config
from pipeline.features.hashes import Sha256
from pipeline.words import did_you_mean

NO_FEATURES = "none"
"""The feature set without extractors: its models see no photo."""


def _needed(features: str) -> str:
    if features == NO_FEATURES:
        raise ValueError(f"it is {features!r}, and this model needs features: name a set with an extractor.")
    return features


MAX_FACTORS = 4096
"""The length of a factor, at most: memory grows with it times all users, photos and tags."""

NoFeatures = Literal["none"]
SomeFeatures = Annotated[str, AfterValidator(_needed)]


class BaseModelConfig(Config):
    """The settings that all models have."""

    kind: str = Field(description="The kind of model.")
    features: str = Field(description="The feature set: what the model sees of a photo.")
    grid: dict[str, list[Any]] | None = Field(
        default=None,
        description="Values to try of this model's settings, all combinations; without it, those for all trained "
        "models.",
    )

    @model_validator(mode="after")
    def _grid_is_valid(self) -> Self:
        check_grid(self.grid or {}, self.with_settings, self.varied(), type(self).model_fields)
        return self

    @property
    def variant(self) -> str:
        """The kind, and the settings that are true: models of one variant differ in features and numbers alone."""
        return "+".join([self.kind, *(name for name, value in self if value is True)])

    def with_settings(self, values: Mapping[str, Any]) -> Self:
        """Returns the same model with some of its settings replaced, and nothing left to try."""
        return type(self).model_validate(self.model_dump() | {"grid": None} | dict(values))

    @classmethod
    def varied(cls) -> list[str]:
        """Lists the settings that a grid can vary."""
        return [name for name in cls.model_fields if name not in BaseModelConfig.model_fields]

    @classmethod
    def bounds(cls, setting: str) -> tuple[float, float]:
        """Returns the least and the greatest number that a setting can have; infinite where there is no such number."""
        return bounds_of(cls, setting)


class UniformNegatives(Config):
    """Negatives drawn uniformly from the tags that the post lacks (Algorithm 1, line 7)."""

    kind: Literal["uniform"] = Field(description="All tags that the post lacks are drawn equally often.")


class AdaptiveNegatives(Config):
    """Negatives that the model ranks high for the post, as a rule (Rendle and Freudenthaler, WSDM 2014)."""

    kind: Literal["adaptive"] = Field(description="Tags that the model ranks high are drawn more often.")
    mean_rank: float = Field(gt=0, le=1, description="Mean rank of a drawn tag, as a share of all tags; small is hard.")


class TagVectors(Config):
    """Vectors of tags, which a text encoder computed elsewhere."""

    path: str = Field(min_length=1, description="A Parquet file with columns tag and vector.")
    sha256: Sha256 | None = Field(description="The file's SHA-256; null is refused with the one that it has.")


Negatives = Annotated[UniformNegatives | AdaptiveNegatives, Field(discriminator="kind")]


class TrainingConfig(Config):
    """The settings of BPR by mini-batches (Section 4.5, Algorithm 1)."""

    factors: int = Field(ge=1, le=MAX_FACTORS, description="k, the length of a factor (the paper's is 128).")
    sigma: float = Field(gt=0, description="Standard deviation of the normal distribution that parameters start from.")
    tag_vectors: TagVectors | None = Field(
        description="Vectors of tags: the factors of tags that have one start alike where their vectors are; null for "
        "none."
    )
    optimizer: Literal["sgd", "adagrad"] = Field(
        description="Plain gradient steps as in the paper (sgd), or steps divided by the root of each parameter's "
        "summed squared gradients (adagrad), which stays stable for feature projections and needs far fewer epochs."
    )
    learning_rate: float = Field(gt=0, description="α, the length of a step.")
    decay: float = Field(gt=0, le=1, description="The factor of α after each epoch; 1 keeps it.")
    l2: float = Field(ge=0, description="λ, the weight of the squared parameters that a quadruple uses in its loss.")
    loss: Literal["bpr", "softmax", "warp"] = Field(
        description="The cost of a tag assignment: −ln σ of its score less a negative's (bpr, Eq. 8); −ln of its "
        "share in the softmax of all tags' scores (softmax); or the hinge loss of all negatives with a margin of 1, "
        "weighted by its rank (warp). The last two draw no negative and take longer with many tags."
    )
    negatives: Negatives = Field(description="The rule by which the negative of a quadruple is drawn.")
    epochs: int = Field(ge=1, description="Passes over all tag assignments of the training posts, at most.")
    patience: int = Field(
        ge=0,
        description="Points of the curve in a row that may measure no better on validation posts before training "
        "stops; 0 never stops it.",
    )
    smoothing: int = Field(
        ge=1,
        description="The last points of the curve, whose measures on validation posts are averaged before they are "
        "compared: with few posts they are so noisy that the best single point is a lucky one.",
    )
    balance: float = Field(
        ge=0,
        le=1,
        description="Balance of the users: posts are drawn in proportion to n^(−balance), where their user has n. With "
        "0, as in the paper, an epoch has each post once, and users with many posts decide; with 1, all users count "
        "alike.",
    )
    members: int = Field(
        ge=1,
        le=16,
        description="Trainings on all training posts from different starts, whose scores are averaged: better, at the "
        "cost of as many factors. Settings are chosen with one.",
    )
    batch: int = Field(ge=1, description="Training posts whose quadruples make one step.")
    curve_every: int = Field(ge=1, description="Epochs from one point of the training curve to the next.")


TrainingOverrides = create_model(
    "TrainingOverrides",
    __base__=Config,
    __doc__="Settings of training that differ for one model; all others are as for all models.",
    **{name: (Annotated[field.annotation, field] | None, None) for name, field in TrainingConfig.model_fields.items()},
)


class TrainedConfig(BaseModelConfig):
    """The settings of a model that is trained."""

    training: TrainingOverrides = Field(
        default=TrainingOverrides(), description="Settings of training that differ from those for all models."
    )

    def with_settings(self, values: Mapping[str, Any]) -> Self:
        own = self.training.model_dump(exclude_none=True) | dict(values)
        return self.model_copy(update={"training": TrainingOverrides.model_validate(own), "grid": None})

    @classmethod
    def varied(cls) -> list[str]:
        return list(TrainingOverrides.model_fields)

    @classmethod
    def bounds(cls, setting: str) -> tuple[float, float]:
        return bounds_of(TrainingConfig, setting)


def bounds_of(config: type[Config], setting: str) -> tuple[float, float]:
    """Returns the least and the greatest number that a field can have; infinite where there is no such number."""
    limits = config.model_fields[setting].metadata
    least = next((limit.ge for limit in limits if isinstance(limit, Ge)), -math.inf)
    return least, next((limit.le for limit in limits if isinstance(limit, Le)), math.inf)


def merged(shared: TrainingConfig, overrides: TrainingOverrides) -> TrainingConfig:
    """Returns the settings of one model: its own where it has any, the shared ones elsewhere."""
    return shared.model_copy(update={name: value for name, value in overrides if value is not None})


def check_grid(
    grid: Mapping[str, Sequence[Any]],
    replace: Callable[[dict[str, Any]], object],
    known: Collection[str],
    keys: Collection[str] = BaseModelConfig.model_fields,
) -> None:
    """Raises ValueError for a name that is not a setting or has no values, ValidationError for an invalid value.

    known: the settings that there are; keys: those of the model, of which a grid cannot vary the others.
    """
    for key, values in grid.items():
        if key in keys and key not in known:
            raise ValueError(f"the grid varies {key}, which is not a setting that it can vary: list a model for each.")
        if key == "members":
            raise ValueError("the grid varies members, but settings are chosen with one: leave them out of it.")
        if not values:
            raise ValueError(f"the grid has no value of {key} to try.")
        for number, value in enumerate(values):
            if value is None:
                raise ValueError(f"the grid has null among the values of {key}: write the value to try.")
            try:
                replace({key: value})
            except ValidationError as error:
                faults = error.errors()
                if faults[0]["type"] == "extra_forbidden" and faults[0]["loc"] == (key,):
                    hint = did_you_mean(key, known)
                    raise ValueError(f"the grid varies {key}, which is not a setting{hint}") from None
                raise _placed(faults, ("grid", key, number)) from None


def _placed(faults: Sequence[ErrorDetails], location: tuple[str | int, ...]) -> ValidationError:
    """Returns the faults of one setting's value as those of the value at a location."""
    details = [
        InitErrorDetails(
            type=fault["type"], loc=location + fault["loc"][1:], input=fault["input"], ctx=fault.get("ctx", {})
        )
        for fault in faults
    ]
    return ValidationError.from_exception_data(location[0], details)
