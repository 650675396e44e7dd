"""Fits any model of the list to training posts.

torch, which takes seconds to import, is imported where it is needed: a baseline does without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from pipeline.errors import InputError
from pipeline.features.store import Features
from pipeline.models.factorisation import FactorisationConfig
from pipeline.models.model import Model
from pipeline.models.registry import MODELS, ModelConfig
from pipeline.models.settings import TrainingConfig, merged
from pipeline.training.bpr.checkpoint import Checkpoint
from pipeline.training.config import CURVE
from pipeline.training.task import TrainingTask

if TYPE_CHECKING:
    import torch

    from pipeline.training.bpr.train import TrialFit


@dataclass(frozen=True)
class Fitted:
    """A model, its training curve (no rows where it only counts), and how many posts it could not learn from.

    device: where it was trained, "cpu" or "cuda"; a model that only counts needs none but the CPU.
    """

    model: Model
    curve: pl.DataFrame
    skipped: int
    device: str = "cpu"


def fit(
    config: ModelConfig,
    training: TrainingConfig,
    posts: pl.DataFrame,
    features: Features,
    seed: int,
    validation: pl.DataFrame | None = None,
    checkpoint: Checkpoint | None = None,
) -> Fitted:
    """Fits a model to training posts (columns user, photo, tags), of whose tags T it knows all.

    On a GPU where there is one. A post that has every tag of T has no negative, so BPR skips it, and does not know a
    user who has no other. With validation posts,
    training stops when its patience ends, and the parameters that did best on them are kept. Raises InputError when no
    post is left to learn from, and when training diverges.
    """
    if not isinstance(config, FactorisationConfig):
        return Fitted(MODELS[config.kind].fit(config, posts, features), pl.DataFrame(schema=CURVE), 0)
    settings = merged(training, config.training)
    (trained,) = fit_trials(config, [settings], posts, features, seed, validation, checkpoint)
    if trained.model is None:
        raise diverged(trained.settings, trained.epoch)
    return Fitted(trained.model, trained.curve, trained.skipped, device().type)


def fit_trials(
    config: FactorisationConfig,
    settings: Sequence[TrainingConfig],
    posts: pl.DataFrame,
    features: Features,
    seed: int,
    validation: pl.DataFrame | None = None,
    checkpoint: Checkpoint | None = None,
) -> "list[TrialFit]":
    """Trains a model with each of some settings, side by side (`train`). Raises InputError when no post is usable."""
    from pipeline.training.bpr.train import train

    return train(config, settings, TrainingTask(posts, validation, features, seed), device(), checkpoint)


def device() -> "torch.device":
    """Where training runs."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def diverged(settings: TrainingConfig, epoch: int, trials: int = 1) -> InputError:
    """What to say of training whose numbers have become infinite: the settings, and the epoch, of the first trial."""
    which = "the loss" if trials == 1 else f"the loss of all {trials} combinations"
    return InputError(
        f"training.learning_rate is {settings.learning_rate} (optimizer {settings.optimizer}, sigma {settings.sigma}); "
        f"{which} was no longer finite in epoch {epoch}: choose a smaller rate, a smaller batch, or store.scaling "
        "standardise."
    )
