"""The trainer of models that are fitted at once, by counting or by rule."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from pipeline.errors import SettingError
from pipeline.models.registry import MODELS
from pipeline.models.settings import BaseModelConfig
from pipeline.training.task import Fitted, TrainingTask
from pipeline.training.trainer import Trainer


class DirectTrainer(Trainer):
    """A trainer that leaves the work to each model's own `fit`."""

    def fit(self, configs: Sequence[BaseModelConfig], task: TrainingTask, work: Path | None = None) -> list[Fitted]:  # noqa: ARG002 (done before anything could be kept)
        return [fit_one(config, task) for config in configs]


def fit_one(config: BaseModelConfig, task: TrainingTask) -> Fitted:
    """Fits a model; a setting that does not suit the posts is its failure, and other settings may still do."""
    curve = pl.DataFrame(schema=task.curve_schema)
    try:
        model = MODELS[config.kind].fit(config, task.posts, task.features)
    except SettingError as error:
        return Fitted(None, curve, failure=error)
    return Fitted(model, curve, score=task.score(model))
