"""The fitting of any model to training posts, by its trainer."""

from pathlib import Path

from pipeline.models.settings import BaseModelConfig, TrainingConfig
from pipeline.training.registry import trainer_of
from pipeline.training.task import Fitted, TrainingTask


def complete(config: BaseModelConfig, shared: TrainingConfig) -> BaseModelConfig:
    """Returns a model with all settings of its training: its own where it has some, elsewhere the shared ones."""
    return trainer_of(config).complete(config, shared)


def fit(config: BaseModelConfig, task: TrainingTask, work: Path | None = None) -> Fitted:
    """Fits a complete model.

    A user who has only posts with every tag, which BPR skips, is not known. With validation posts, training stops when
    its patience ends, and the parameters that did best on them are kept. A run that was killed resumes from the folder
    `work`. Raises InputError when no post is left to learn from, and SettingError when training diverges
    or a setting does not suit the posts.
    """
    (fitted,) = trainer_of(config).fit([config], task, work)
    if fitted.failure is not None:
        raise fitted.failure
    return fitted
