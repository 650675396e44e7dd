"""How sure the figures are: a paired bootstrap over the test posts."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.config import Config

BATCH = 1 << 22
"""Post weights held at a time: memory stays at some tens of megabytes for any number of posts and resamples."""

ROUNDING = 1e-9
"""Far above the rounding of the sums, far below any difference of interest: equal models must never differ."""


class BootstrapConfig(Config):
    """How often the test posts are drawn again, and how wide the intervals are."""

    resamples: int = Field(ge=1, description="How many times as many posts as there are get drawn with replacement.")
    level: float = Field(gt=0, lt=1, description="The share of resamples that an interval covers, such as 0.95.")


@dataclass(frozen=True)
class Bootstrap:
    """F1@K of each model and the difference of each pair, with percentile intervals.

    `intervals`: model, k, f1, low, high. `differences`: model, other, k, difference (model minus other), low, high,
    significant (the interval excludes zero); both orders of each pair. Rows follow the order of the models, then k.
    """

    intervals: pl.DataFrame
    differences: pl.DataFrame


def cumulated_hits(test: pl.DataFrame, recommendations: pl.DataFrame, depth: int) -> np.ndarray:
    """How many of the first 1, 2, … `depth` suggestions are tags of the post: int64 (posts, depth), in `test`'s order.

    Both frames have user, photo, tags. A list shorter than `depth` hits nothing more. Raises ValueError when a test
    post has no suggestions.
    """
    ranked = test.join(recommendations, on=["user", "photo"], how="left", maintain_order="left", suffix="_suggested")
    if ranked.height != test.height or ranked["tags_suggested"].null_count():
        raise ValueError("the recommendations do not hold each test post exactly once")
    hits = np.zeros((test.height, depth), dtype=np.int64)
    for row, (true, suggested) in enumerate(ranked.select("tags", "tags_suggested").iter_rows()):
        wanted = set(true)
        hits[row, : len(suggested)] = [tag in wanted for tag in suggested[:depth]]
    return hits.cumsum(axis=1)


def paired_bootstrap(
    hits: Mapping[str, np.ndarray], tags: np.ndarray, config: BootstrapConfig, rng: np.random.Generator
) -> Bootstrap:
    """Resamples the test posts, the same ones for every model, and takes F1@K (Eq. 10) of each resample.

    `hits`: for each model the cumulated hits (posts, K); `tags`: |T_ui| (posts,), at least 1. F1 is the harmonic mean
    of precision and recall averaged over the resample's posts. Intervals are percentiles of the resamples. Raises
    ValueError for no posts or for shapes that differ.
    """
    shapes = {array.shape for array in hits.values()}
    if len(shapes) != 1 or tags.size == 0 or next(iter(shapes))[0] != tags.size:
        raise ValueError(f"hits of shape {shapes} do not fit {tags.size} test posts")
    stacked = np.stack(list(hits.values()), axis=1)
    posts, _, depth = stacked.shape
    gains = np.stack([stacked / np.arange(1, depth + 1), stacked / tags[:, None, None]])
    estimates = f1(gains, np.ones((1, posts)))[0]
    batch = max(1, BATCH // posts)
    sizes = [min(batch, config.resamples - start) for start in range(0, config.resamples, batch)]
    samples = np.concatenate([f1(gains, rng.multinomial(posts, np.full(posts, 1 / posts), size)) for size in sizes])

    tails = (1 - config.level) / 2, (1 + config.level) / 2
    intervals = [
        (model, k + 1, estimates[m, k], low[k], high[k])
        for m, model in enumerate(hits)
        for low, high in [np.quantile(samples[:, m], tails, axis=0)]
        for k in range(depth)
    ]
    differences = [
        (model, other, k + 1, estimates[a, k] - estimates[b, k], low[k], high[k])
        for (a, model), (b, other) in permutations(enumerate(hits), 2)
        for low, high in [np.quantile(samples[:, a] - samples[:, b], tails, axis=0)]
        for k in range(depth)
    ]
    columns = ["model", "k", "f1", "low", "high"], ["model", "other", "k", "difference", "low", "high"]
    clear = (pl.col("low") > ROUNDING) | (pl.col("high") < -ROUNDING)
    return Bootstrap(
        pl.DataFrame(intervals, schema=columns[0], orient="row"),
        pl.DataFrame(differences, schema=columns[1], orient="row").with_columns(significant=clear),
    )


def f1(gains: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """F1@K (Eq. 10) of weighted posts: harmonic mean of the averages, 0 where both are.

    `gains`: each post's precision and recall (2, posts, models, K); `weights`: (resamples, posts), each row summing to
    the number of posts. Returns (resamples, models, K).
    """
    precision, recall = (np.tensordot(weights.astype(np.float64), gain, axes=1) / gain.shape[0] for gain in gains)
    both = precision + recall
    return 2 * precision * recall / np.where(both > 0, both, 1)
