"""The settings by which other settings are chosen, and what training notes of its course."""

from typing import Any, Self

import polars as pl
from pydantic import Field, model_validator

from pipeline.config import Config
from pipeline.models.settings import TrainingConfig, TrainingOverrides, check_grid

CURVE = {"epoch": pl.Int64, "loss": pl.Float64, "auc": pl.Float64, "f1@5": pl.Float64, "validation_f1@5": pl.Float64}
"""The columns of a training curve."""


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
        check_grid(self.grid, TrainingOverrides.model_validate)
        return self


SIDE_BY_SIDE = {"learning_rate", "decay", "l2", "sigma"}
"""Settings that may differ between trials that are trained side by side."""


def shared_settings(settings: TrainingConfig) -> str:
    """What trials side by side must share."""
    return settings.model_dump_json(exclude=SIDE_BY_SIDE)
