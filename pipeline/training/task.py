"""The task of training: what there is to learn from."""

from dataclasses import dataclass

import polars as pl

from pipeline.features.store import Features


@dataclass(frozen=True)
class TrainingTask:
    """Posts to learn from, and all else that decides a model besides its settings."""

    posts: pl.DataFrame
    """The training posts: columns user, photo, tags."""
    validation: pl.DataFrame | None
    """Other posts, on which training is measured, where there are any: the same columns."""
    features: Features
    """The features of all their photos."""
    seed: int
    """Decides all that is random."""
