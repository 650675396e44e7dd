"""All metrics at every K: as a table, as flat names, and averaged over seeds."""

import statistics
from collections.abc import Sequence

import numpy as np
import polars as pl

from pipeline.data.schema import K
from pipeline.evaluation.metrics.registry import METRICS
from pipeline.evaluation.ranking import Ranking

DEVIATION = "_deviation"
"""The end of a metric's flat name that stands for its standard deviation over seeds."""


def curve(ranking: Ranking) -> pl.DataFrame:
    """Measures a ranking at K = 1..10: k, and a column for each metric by its name."""
    ks = np.arange(1, ranking.hits.shape[1] + 1)
    return pl.DataFrame({K: ks} | {name: each.at_each_k(ranking.hits, ranking.sizes) for name, each in METRICS.items()})


def metrics(ranking: Ranking) -> dict[str, float]:
    """Measures a ranking: the curve under flat names, "f1@1" … "f1@10", then those of the next metric."""
    table = curve(ranking)
    return {f"{name}@{row[K]}": row[name] for name in METRICS for row in table.to_dicts()}


def mean_curve(rankings: Sequence[Ranking]) -> pl.DataFrame:
    """Averages `curve` over the same posts ranked by models from several seeds."""
    return pl.concat([curve(ranking) for ranking in rankings]).group_by(K, maintain_order=True).mean()


def metrics_over_seeds(rankings: Sequence[Ranking]) -> dict[str, float]:
    """Averages `metrics` over models from several seeds, each followed by its "…_deviation".

    That is the standard deviation (n − 1), which a single model does not have.
    """
    each = [metrics(ranking) for ranking in rankings]
    means = {name: statistics.fmean(values[name] for values in each) for name in each[0]}
    if len(each) == 1:
        return means
    return means | {f"{name}{DEVIATION}": statistics.stdev(values[name] for values in each) for name in means}
