"""The task of training, and its result."""

from dataclasses import dataclass, replace
from typing import Self

import polars as pl

from pipeline.data.schema import POST
from pipeline.errors import SettingError
from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.ranking import rank
from pipeline.features.store import Features
from pipeline.models.model import Model

F1_AT_5 = Measure("f1", 5)
"""The paper's measure (Section 5.2)."""


@dataclass(frozen=True)
class TrainingTask:
    """Posts to learn from, and all else that decides a model apart from its settings."""

    posts: pl.DataFrame
    """The training posts: columns user, photo, tags and, where they are known, time."""
    validation: pl.DataFrame | None
    """Other posts, on which training is measured, where there are any: the same columns."""
    features: Features
    """The features of all their photos."""
    seed: int
    """The seed of all that is random."""
    measure: Measure = F1_AT_5
    """The measure by which models are compared on validation posts, and described on training posts."""

    @property
    def curve_schema(self) -> dict[str, pl.DataType]:
        """The columns of a training curve.

        epoch; loss, its mean over quadruples; auc, the share of them that are ranked right; the measure on
        a fixed sample of training posts, and on the validation posts (null without any).
        """
        numbers = ("loss", "auc", str(self.measure), f"validation_{self.measure}")
        return {"epoch": pl.Int64} | dict.fromkeys(numbers, pl.Float64)

    def leaving_out(self, validation: pl.DataFrame) -> Self:
        """Returns the task of learning from the other posts, in their order, measured on those left out."""
        return replace(
            self, posts=self.posts.join(validation, on=POST, how="anti", maintain_order="left"), validation=validation
        )

    def score(self, model: Model) -> float | None:
        """Measures a model on the validation posts, where there are any."""
        if self.validation is None:
            return None
        ranking = rank(model, self.validation, self.features)
        return float(self.measure.of(ranking.hits, ranking.sizes))


@dataclass(frozen=True)
class Fitted:
    """A model that was fitted, and the course of its training."""

    model: Model | None
    """The model, with the parameters that validated best, or the last without validation posts; None if it failed."""
    curve: pl.DataFrame
    """The training curve, without rows where nothing was trained."""
    epoch: int | None = None
    """The epoch whose parameters the model has, or in which training diverged; None where nothing was trained."""
    epochs: int | None = None
    """The number of epochs that were run."""
    score: float | None = None
    """The measure on the validation posts, smoothed as configured; None without them, or when it failed."""
    skipped: int = 0
    """The number of posts that have every tag, and so no negative to learn from."""
    device: str = "cpu"
    """The device that it was trained on: cpu or cuda."""
    failure: SettingError | None = None
    """The reason why there is no model: training diverged, or a setting does not suit the posts."""

    @property
    def unsmoothed(self) -> float | None:
        """The measure of the model itself on the validation posts, where `score` is smoothed over epochs.

        The curve has it for a model that was trained by epochs, so that no post is ranked again. None as for `score`.
        """
        of_model = self.curve.filter(pl.col("epoch").eq_missing(self.epoch))
        return self.score if of_model.is_empty() else of_model[-1, -1]
