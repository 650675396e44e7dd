"""From a model's scores to ranked suggestions."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.features.store import Features
from pipeline.models.model import Model

POSTS_PER_CHUNK = 1024
"""Posts scored at a time: memory stays flat, and each post's scores are the same in every run."""


@dataclass(frozen=True)
class Suggestions:
    """The best tags of posts, row by row in their order, best first."""

    top: np.ndarray
    """Positions in the model's tags, int64 (posts, length), fewer columns where there are fewer tags."""
    scores: np.ndarray
    """Their scores, float32 (posts, length)."""


def suggest(model: Model, posts: pl.DataFrame, features: Features, length: int) -> Suggestions:
    """Suggests `length` tags for each of posts (columns user, photo)."""
    chunks = [_suggest(model, chunk, features, length) for chunk in posts.iter_slices(POSTS_PER_CHUNK)]
    chunks = chunks or [_suggest(model, posts, features, length)]
    return Suggestions(*(np.concatenate(parts) for parts in zip(*chunks, strict=True)))


def _suggest(model: Model, posts: pl.DataFrame, features: Features, length: int) -> tuple[np.ndarray, np.ndarray]:
    scores = model.scores(posts, features)
    top = top_tags(scores, length)
    return top, np.take_along_axis(scores, top, axis=1).astype(np.float32)


def top_tags(scores: np.ndarray, length: int) -> np.ndarray:
    """Returns the positions of the highest scores of each row, best first; among equal scores, the first.

    int64 (posts, length), or fewer columns where there are fewer tags. One maximum after another: `argmax` takes
    the first of equal ones, and ten passes are quicker than a stable sort.
    """
    left = np.array(scores)
    rows = np.arange(len(left))
    top = np.empty((len(left), min(length, left.shape[1])), np.int64)
    for place in range(top.shape[1]):
        top[:, place] = left.argmax(axis=1)
        left[rows, top[:, place]] = -np.inf
    return top
