"""The settings of training, for all models and (as overrides) for one, and how they are chosen."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import polars as pl
from pydantic import Field, ValidationError, create_model, model_validator

from pipeline.config import Config

CURVE = {"epoch": pl.Int64, "loss": pl.Float64, "auc": pl.Float64, "f1@5": pl.Float64, "validation_f1@5": pl.Float64}
"""The columns of a training curve."""


class UniformNegatives(Config):
    """Any tag that is no positive of the post is as likely (Algorithm 1, line 7)."""

    kind: Literal["uniform"] = Field(description="Each tag that the post lacks is drawn as often.")


class AdaptiveNegatives(Config):
    """Tags that the model ranks high for the post are drawn more often (Rendle and Freudenthaler, WSDM 2014)."""

    kind: Literal["adaptive"] = Field(description="Tags that the model ranks high are drawn more often.")
    mean_rank: float = Field(gt=0, description="Mean rank of a drawn tag, as a share of all tags; small is hard.")


Negatives = Annotated[UniformNegatives | AdaptiveNegatives, Field(discriminator="kind")]


class TrainingConfig(Config):
    """BPR by mini-batches (Section 4.5, Algorithm 1)."""

    factors: int = Field(ge=1, description="k, the length of a factor (the paper's is 128).")
    sigma: float = Field(gt=0, description="Standard deviation of the normal distribution that parameters start from.")
    optimizer: Literal["sgd", "adagrad"] = Field(
        description="Plain gradient steps as in the paper (sgd), or steps divided by the root of each parameter's "
        "summed squared gradients (adagrad), which stays stable for feature projections and needs far fewer epochs."
    )
    learning_rate: float = Field(gt=0, description="α, the length of a step.")
    decay: float = Field(gt=0, le=1, description="What α is multiplied by after each epoch; 1 keeps it.")
    l2: float = Field(ge=0, description="λ, the weight of the squared parameters that a quadruple uses in its loss.")
    negatives: Negatives = Field(description="How the negative of a quadruple is drawn.")
    epochs: int = Field(ge=1, description="Passes over all tag assignments of the training posts, at most.")
    patience: int = Field(
        ge=0,
        description="Points of the curve in a row that may bring no better F1@5 on validation posts before training "
        "stops; 0 never stops it.",
    )
    smoothing: int = Field(
        ge=1,
        description="Points of the curve whose F1@5 on validation posts are averaged, the last ones, before it is "
        "compared: of few posts it is so noisy that the best single point is a lucky one.",
    )
    batch: int = Field(ge=1, description="Training posts whose quadruples make one step.")
    curve_every: int = Field(ge=1, description="Epochs from one point of the training curve to the next.")


TrainingOverrides = create_model(
    "TrainingOverrides",
    __base__=Config,
    __doc__="Settings of training that differ for one model; what is left out is as for all models.",
    **{name: (Annotated[field.annotation, field] | None, None) for name, field in TrainingConfig.model_fields.items()},
)


def check_grid(grid: Mapping[str, Sequence[Any]], told: Callable[[str, Any], object]) -> None:
    """Raises ValueError for a setting of a grid that `told` refuses, for one without values, and for what is none."""
    for key, values in grid.items():
        if key in ("kind", "features", "grid"):
            raise ValueError(f"the grid varies {key}, which is no setting: list a model for each.")
        if not values:
            raise ValueError(f"the grid has no value of {key} to try.")
        for value in values:
            try:
                told(key, value)
            except ValidationError as error:
                raise ValueError(f"the grid's {key} is {value!r}: {error.errors()[0]['msg'].lower()}.") from None


class TuningConfig(Config):
    """How settings are chosen."""

    grid: dict[str, list[Any]] = Field(
        description="Values to try of settings of `training`, all combinations; a model's own `grid` comes first."
    )
    folds: int = Field(
        ge=1,
        description="Parts of the training posts that are left out for validation, one after the other; settings are "
        "chosen by their mean F1@5. Few posts judge noisily: more folds choose better, and cost as many searches.",
    )
    refit: bool = Field(
        description="Train what was chosen on all training posts, for as many epochs as were best, with smoothing the "
        "last of those averaged (true), or on those that are not for validation, keeping the parameters that did best "
        "on these (false)."
    )

    @model_validator(mode="after")
    def grid_is_valid(self) -> Self:
        check_grid(self.grid, lambda key, value: TrainingOverrides.model_validate({key: value}))
        return self


def merged(shared: TrainingConfig, overrides: TrainingOverrides) -> TrainingConfig:
    """The settings of one model: its own where it has some, the shared ones elsewhere."""
    return shared.model_copy(update={name: value for name, value in overrides if value is not None})


SIDE_BY_SIDE = {"learning_rate", "decay", "l2", "sigma"}
"""Settings that may differ between trials that are trained side by side."""


def shared_settings(settings: TrainingConfig) -> str:
    """What trials side by side must share."""
    return settings.model_dump_json(exclude=SIDE_BY_SIDE)
