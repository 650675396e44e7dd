"""The uncertainty of metrics: a paired bootstrap over the test posts, and one over their users."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.config import Config
from pipeline.data.schema import K
from pipeline.evaluation.metrics.metric import Metric
from pipeline.evaluation.metrics.registry import METRICS
from pipeline.evaluation.ranking import Ranking
from pipeline.evaluation.significance import FEWEST_POSTS, holm, two_sided

BATCH = 1 << 22
"""Weights held at a time: memory stays at some tens of megabytes for any number of posts and resamples."""

TOLERANCE = 1e-9
"""The difference below which models are equal: far above the sums' rounding, far below anything of interest."""

POSTS, USERS = "posts", "users"
"""The units that are resampled."""

TYPES = dict.fromkeys(("value", "difference", "low", "high"), pl.Float64)
TYPES |= {"over": pl.String, "significant": pl.Boolean, "after_holm": pl.Boolean}
"""The types of the tables' columns, which may be empty."""


class BootstrapConfig(Config):
    """The number of resamples, and the width of the intervals."""

    resamples: int = Field(
        ge=1, le=1_000_000, description="Resamples of the test posts and of their users, with replacement."
    )
    level: float = Field(gt=0, lt=1, description="The share of resamples that an interval covers, such as 0.95.")


@dataclass(frozen=True)
class Bootstrap:
    """Each metric of each model and its difference from every other model, with percentile intervals.

    Posts of one user resemble each other, so an interval over posts can be too narrow. Users with all their posts are
    resampled as well; of the two intervals the wider is given, and `over` says which it is: "posts" or "users".
    """

    intervals: pl.DataFrame
    """metric, model, k, value, low, high, over; in the order of metrics, of models, and of K."""

    differences: pl.DataFrame
    """metric, model, other, k, difference (model minus other), low, high, over, significant, after_holm.

    Both orders of each pair. Significant: the interval, taken alone, excludes zero. After Holm: it is significant, and
    so is its p-value, adjusted for all pairs of models by this metric at this K. Both are null with too few posts.
    """

    posts: int
    """The number of test posts."""

    users: int
    """The number of their users."""

    @property
    def too_few(self) -> bool:
        """True with too few test posts for any verdict."""
        return self.posts < FEWEST_POSTS

    def of(self, metric: str) -> Self:
        """Selects the rows of one metric."""
        intervals, differences = (frame.filter(metric=metric) for frame in (self.intervals, self.differences))
        return replace(self, intervals=intervals, differences=differences)


def paired_bootstrap(
    rankings: Mapping[str, Ranking],
    users: pl.Series,
    config: BootstrapConfig,
    rng: np.random.Generator,
    metrics: Mapping[str, type[Metric]] = METRICS,
) -> Bootstrap:
    """Resamples the test posts and their users, the same for every model and metric, and measures all resamples.

    `rankings`: each model's hits in the same posts. `users`: the user of each post. Intervals are percentiles of the
    resamples. Raises ValueError for no posts, or for rankings and users of different posts.
    """
    shapes = {ranking.hits.shape for ranking in rankings.values()}
    sizes = next(iter(rankings.values())).sizes
    if len(shapes) != 1 or sizes.size == 0 or not next(iter(shapes))[0] == sizes.size == len(users):
        raise ValueError(f"hits of shape {shapes} by {len(users)} users do not fit {sizes.size} test posts")
    hits = np.stack([ranking.hits for ranking in rankings.values()])  # (models, posts, K)
    # The numbers that each metric averages, posts first: (posts, models, K).
    numbers = {
        name: [np.moveaxis(column, 1, 0) for column in metric.of_posts(hits, sizes)] for name, metric in metrics.items()
    }
    owner = users.rank("dense").to_numpy().astype(np.int64) - 1
    owners = int(owner.max()) + 1
    units = {POSTS: np.arange(sizes.size)}
    if 1 < owners < sizes.size:  # One user says nothing of others, and users with one post each are posts.
        units[USERS] = owner
    samples = {unit: _sample(metrics, numbers, of_post, config.resamples, rng) for unit, of_post in units.items()}

    models = list(rankings)
    one, other = np.array([*combinations(range(len(models)), 2)], np.int64).reshape(-1, 2).T
    pairs = {"model": [models[place] for place in one], "other": [models[place] for place in other]}
    intervals, differences = [], []
    for name, metric in metrics.items():
        values = metric.combine(*(column.mean(axis=0) for column in numbers[name]))  # (models, K)
        sampled = {unit: found[name] for unit, found in samples.items()}  # (resamples, models, K) each
        spread = Spread.widest(sampled, config.level)
        intervals.append(_table(name, {"model": models}, {"value": values} | spread.columns))
        gaps = {unit: found[:, one] - found[:, other] for unit, found in sampled.items()}  # (resamples, pairs, K) each
        spread = Spread.widest(gaps, config.level)
        gap = values[one] - values[other]  # (pairs, K)
        significant = (spread.low > TOLERANCE) | (spread.high < -TOLERANCE)
        after_holm = significant & (holm(two_sided(gap, spread.deviation)) <= 1 - config.level)
        verdicts = {"significant": significant, "after_holm": after_holm}
        differences.append(_table(name, pairs, {"difference": gap} | spread.columns | verdicts))
    found = Bootstrap(pl.concat(intervals), _both_orders(pl.concat(differences)), sizes.size, owners)
    if not found.too_few:
        return found
    nothing = pl.lit(None, pl.Boolean)
    return replace(found, differences=found.differences.with_columns(significant=nothing, after_holm=nothing))


@dataclass(frozen=True)
class Spread:
    """The widest of several percentile intervals for each value of an array."""

    low: np.ndarray
    high: np.ndarray
    """The ends of the interval."""

    deviation: np.ndarray
    """The standard deviation of the value in the resamples of that interval."""

    over: np.ndarray
    """The unit that was resampled."""

    @classmethod
    def widest(cls, samples: Mapping[str, np.ndarray], level: float) -> Self:
        """Chooses for each value among its samples by unit, (resamples, …) each; the first among equal ones."""
        tails = (1 - level) / 2, (1 + level) / 2
        ends = np.stack([np.quantile(sampled, tails, axis=0) for sampled in samples.values()])  # (units, 2, …)
        deviations = np.stack([sampled.std(axis=0) for sampled in samples.values()])  # (units, …)
        widest = np.argmax(ends[:, 1] - ends[:, 0] > ends[0, 1] - ends[0, 0] + TOLERANCE, axis=0)
        low, high = np.take_along_axis(ends, widest[None, None], axis=0)[0]
        (deviation,) = np.take_along_axis(deviations, widest[None], axis=0)
        return cls(low, high, deviation, np.array([*samples], object)[widest])

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The columns of the interval."""
        return {"low": self.low, "high": self.high, "over": self.over}


def _sample(
    metrics: Mapping[str, type[Metric]],
    numbers: Mapping[str, Sequence[np.ndarray]],
    unit: np.ndarray,
    count: int,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Measures resamples of units, posts or users: (resamples, models, K) each. `unit`: that of each post."""
    sums = {name: [_sums(column, unit) for column in columns] for name, columns in numbers.items()}
    posts = np.bincount(unit).astype(np.float64)
    found = {name: [] for name in metrics}
    for weights in resamples(posts.size, count, rng):
        for name, metric in metrics.items():
            found[name].append(measure(metric, sums[name], posts, weights))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _sums(column: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Adds up the numbers of each unit's posts: (units, models, K)."""
    order = unit.argsort(kind="stable")
    starts = np.flatnonzero(np.diff(unit[order], prepend=-1))
    return np.add.reduceat(column[order], starts, axis=0)


def resamples(units: int, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yields the number of draws of each unit, (resamples, units) float64: `count` rows, each of sum `units`."""
    batch = max(1, BATCH // units)
    for start in range(0, count, batch):
        yield rng.multinomial(units, np.full(units, 1 / units), min(batch, count - start)).astype(np.float64)


def measure(metric: type[Metric], sums: Sequence[np.ndarray], posts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Measures units of posts with weights: (resamples, …).

    `sums`: the metric's `of_posts`, added up over the posts of each unit, (units, …) each; `posts`: the number of each
    unit's posts; `weights`: (resamples, units).
    """
    drawn = weights @ posts  # (resamples,)
    means = (np.tensordot(weights, column, axes=1).T / drawn for column in sums)
    return metric.combine(*(mean.T for mean in means))


def _table(metric: str, names: Mapping[str, Sequence[str]], columns: Mapping[str, np.ndarray]) -> pl.DataFrame:
    """Tabulates arrays (names, K): metric, the columns of names, k, and a column for each array."""
    rows, ks = next(iter(columns.values())).shape
    labels = {
        column: pl.Series(np.repeat(np.array(each, object), ks), dtype=pl.String) for column, each in names.items()
    }
    values = {column: array.reshape(-1).tolist() for column, array in columns.items()}
    table = pl.DataFrame(labels | {K: np.tile(np.arange(1, ks + 1), rows)} | values, schema_overrides=TYPES)
    return table.select(pl.lit(metric).alias("metric"), pl.all())


def _both_orders(pairs: pl.DataFrame) -> pl.DataFrame:
    """Adds each pair of models in the other order."""
    turned = pairs.with_columns(
        model=pl.col("other"),
        other=pl.col("model"),
        difference=-pl.col("difference"),
        low=-pl.col("high"),
        high=-pl.col("low"),
    )
    return pl.concat([pairs, turned])
