"""Fits any model of the list to training posts."""

from dataclasses import dataclass

import polars as pl
import torch

from pipeline.errors import InputError
from pipeline.models.config import FactorisationConfig, ModelConfig
from pipeline.models.model import Model, vocabulary
from pipeline.models.registry import MODELS
from pipeline.store import Features
from pipeline.training.bpr import CURVE, train
from pipeline.training.config import TrainingConfig, merged


@dataclass(frozen=True)
class Fitted:
    """A model, its training curve (no rows where it only counts), and how many posts it could not learn from.

    device: where it was trained, "cpu" or "cuda"; a model that only counts needs none but the CPU.
    """

    model: Model
    curve: pl.DataFrame
    skipped: int
    device: str = "cpu"


def fit(config: ModelConfig, training: TrainingConfig, posts: pl.DataFrame, features: Features, seed: int) -> Fitted:
    """Fits a model to training posts (columns user, photo, tags): U and T are their users and tags.

    On a GPU where there is one. A post that has every tag of T has no negative, so BPR skips it. Raises InputError when
    no post is left to learn from, and when training diverges.
    """
    if not isinstance(config, FactorisationConfig):
        return Fitted(MODELS[config.kind].fit(config, posts, features), pl.DataFrame(schema=CURVE), 0)
    tags = vocabulary(posts["tags"].explode())
    usable = posts.filter(pl.col("tags").list.len() < len(tags))
    if usable.is_empty():
        raise InputError("Every training post has every tag, which leaves nothing to rank: keep more tags.")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, curve = train(config, merged(training, config.training), usable, tags, features, seed, device)
    return Fitted(model, curve, len(posts) - len(usable), device.type)
