"""The uncertainty of the figures: a paired bootstrap over the test posts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.config import Config
from pipeline.data.schema import K
from pipeline.evaluation.metrics.metric import Metric
from pipeline.evaluation.metrics.registry import METRICS
from pipeline.evaluation.ranking import Ranking

BATCH = 1 << 22
"""Post weights held at a time: memory stays at some tens of megabytes for any number of posts and resamples."""

FEWEST = 10
"""Test posts with which a difference can be significant, at least: resamples of fewer hardly differ from each other."""

ROUNDING = 1e-9
"""The difference below which models are equal: far above the sums' rounding, far below anything of interest."""


class BootstrapConfig(Config):
    """The number of resamples of the test posts, and the width of the intervals."""

    resamples: int = Field(ge=1, description="Resamples, each of as many posts as there are, with replacement.")
    level: float = Field(gt=0, lt=1, description="The share of resamples that an interval covers, such as 0.95.")


@dataclass(frozen=True)
class Bootstrap:
    """Each metric of each model and its difference from every other model, with percentile intervals."""

    intervals: pl.DataFrame
    """metric, model, k, value, low, high; in the order of metrics, of models, and of K."""

    differences: pl.DataFrame
    """metric, model, other, k, difference (model minus other), low, high, significant; both orders of each pair.

    Significant: the interval excludes zero, and there are at least `FEWEST` test posts.
    """

    def of(self, metric: str) -> Self:
        """Selects the rows of one metric."""
        return type(self)(*(frame.filter(pl.col("metric") == metric) for frame in (self.intervals, self.differences)))


def paired_bootstrap(
    rankings: Mapping[str, Ranking],
    config: BootstrapConfig,
    rng: np.random.Generator,
    metrics: Mapping[str, type[Metric]] = METRICS,
) -> Bootstrap:
    """Resamples the test posts, the same ones for every model and metric, and measures each resample at every K.

    `rankings`: each model's hits in the same posts. Intervals are percentiles of the resamples. Raises ValueError for
    no posts or for rankings of different posts.
    """
    shapes = {ranking.hits.shape for ranking in rankings.values()}
    sizes = next(iter(rankings.values())).sizes
    if len(shapes) != 1 or sizes.size == 0 or next(iter(shapes))[0] != sizes.size:
        raise ValueError(f"hits of shape {shapes} do not fit {sizes.size} test posts")
    hits = np.stack([ranking.hits for ranking in rankings.values()])  # (models, posts, K)
    # The numbers that each metric averages, posts first: (posts, models, K).
    numbers = {
        name: [np.moveaxis(column, 1, 0) for column in metric.of_posts(hits, sizes)] for name, metric in metrics.items()
    }
    samples = {name: [] for name in metrics}
    for weights in resamples(sizes.size, config.resamples, rng):
        for name, metric in metrics.items():
            samples[name].append(measure(metric, numbers[name], weights))

    tails = (1 - config.level) / 2, (1 + config.level) / 2
    intervals, differences = [], []
    for name, metric in metrics.items():
        estimates = measure(metric, numbers[name], np.ones((1, sizes.size)))[0]  # (models, K)
        sampled = np.concatenate(samples[name])  # (resamples, models, K)
        low, high = np.quantile(sampled, tails, axis=0)
        for m, model in enumerate(rankings):
            columns = zip(estimates[m], low[m], high[m], strict=True)
            intervals += [(name, model, k, *row) for k, row in enumerate(columns, start=1)]
        for (a, model), (b, other) in permutations(enumerate(rankings), 2):
            low_high = np.quantile(sampled[:, a] - sampled[:, b], tails, axis=0)
            columns = zip(estimates[a] - estimates[b], *low_high, strict=True)
            differences += [(name, model, other, k, *row) for k, row in enumerate(columns, start=1)]
    clear_of_zero = (pl.col("low") > ROUNDING) | (pl.col("high") < -ROUNDING)
    return Bootstrap(
        pl.DataFrame(intervals, schema=["metric", "model", K, "value", "low", "high"], orient="row"),
        pl.DataFrame(
            differences, schema=["metric", "model", "other", K, "difference", "low", "high"], orient="row"
        ).with_columns(significant=clear_of_zero & (sizes.size >= FEWEST)),
    )


def resamples(posts: int, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yields the number of draws of each post, (resamples, posts) float64: `count` rows, each of sum `posts`."""
    batch = max(1, BATCH // posts)
    for start in range(0, count, batch):
        yield rng.multinomial(posts, np.full(posts, 1 / posts), min(batch, count - start)).astype(np.float64)


def measure(metric: type[Metric], numbers: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Measures posts with weights: (resamples, models, K).

    `numbers`: the metric's `of_posts`, each (posts, models, K); `weights`: (resamples, posts).
    """
    return metric.combine(*(np.tensordot(weights, column, axes=1) / len(column) for column in numbers))
