"""The settings by which other settings are chosen."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.config import Config
from pipeline.evaluation.metrics.measure import Measure
from pipeline.models.settings import TrainingOverrides, check_grid


def _known(text: str) -> str:
    """Refuses a text that is not a measure."""
    return str(Measure.parse(text))


class TuningConfig(Config):
    """The choice of settings."""

    measure: Annotated[str, AfterValidator(_known)] = Field(
        description="The metric at K by which settings are compared on validation posts, and that patience watches."
    )
    grid: dict[str, list[Any]] = Field(
        description="Values to try of settings of training, all combinations; a model's own grid comes first."
    )
    eliminate: int = Field(
        ge=1,
        description="η of successive halving: combinations are trained for some epochs first, and the best 1 / η of "
        "them train on to η times as many, until one is left, which trains to the end; 1 trains all to the end.",
    )
    extend: bool = Field(
        description="True to extend a grid beyond its edge while the best number lies there; each added combination is "
        "trained to the end."
    )
    folds: int = Field(
        ge=1,
        le=100,
        description="Parts of the training posts that are left out for validation, one after the other; settings are "
        "chosen by their mean. Few posts measure noisily: more folds choose better, at the cost of a search each.",
    )
    refit: bool = Field(
        description="True to train with the chosen settings on all training posts, for the best number of epochs (with "
        "smoothing, the last of those averaged); false to train on those that are not for validation, and to keep the "
        "parameters that did best on these."
    )

    @model_validator(mode="after")
    def _grid_is_valid(self) -> Self:
        check_grid(self.grid, TrainingOverrides.model_validate, TrainingOverrides.model_fields)
        return self
