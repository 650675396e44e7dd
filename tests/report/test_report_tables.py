"""Tables of measures: ties, marks after Holm's correction, and too few posts."""

import numpy as np
import polars as pl
import pytest

from pipeline.evaluation.bootstrap import Bootstrap, BootstrapConfig, paired_bootstrap
from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.ranking import Ranking
from pipeline.report.tables import legend, mark, measure_table, tabulate

FIRST = Measure("f1", 1)


def bootstrap(shares: dict[str, float], posts: int) -> Bootstrap:
    """That of models which hit the one tag of the first so many of the posts, each of another user."""
    sizes = np.ones(posts, int)
    hits = {model: Ranking(np.arange(posts)[:, None] < posts * share, sizes) for model, share in shares.items()}
    users = pl.Series([str(post) for post in range(posts)])
    return paired_bootstrap(hits, users, BootstrapConfig(resamples=300, level=0.95), np.random.default_rng(0)).of("f1")


def marks(shares: dict[str, float], posts: int) -> dict[str, str]:
    metrics = {model: {"f1@1": share} for model, share in shares.items()}
    table = measure_table(metrics, FIRST, bootstrap(shares, posts))
    return {row["model"]: mark(row) for row in table.iter_rows(named=True)}


def test_the_best_and_those_not_clearly_worse_are_marked():
    assert marks({"good": 0.5, "near": 0.49, "poor": 0.1}, 100) == {"good": "*", "near": "~", "poor": ""}


def test_equal_models_are_all_the_best():
    assert marks({"one": 0.5, "two": 0.5, "poor": 0.1}, 100) == {"one": "*", "two": "*", "poor": ""}
    table = tabulate(["one", "two"], bootstrap({"one": 0.5, "two": 0.5}, 100))
    assert [table[model][1]["best"] for model in table] == [True, True]


def test_with_too_few_posts_no_model_is_the_best():
    shares = {"one": 0.5, "two": 0.0}
    table = measure_table({model: {"f1@1": share} for model, share in shares.items()}, FIRST, bootstrap(shares, 2))
    assert table.select("low", "best", "near").null_count().row(0) == (2, 2, 2)
    assert legend(table) == "too few test posts to call a model the best"
    assert not any(row["best"] for row in tabulate([*shares], bootstrap(shares, 2))["one"].values())


def test_without_suggestions_only_the_best_mean_is_marked():
    table = measure_table({"one": {"f1@1": 0.5, "f1@1_deviation": 0.1}, "two": {"f1@1": 0.25}, "old": {}}, FIRST, None)
    assert table.rows() == [("one", 0.5, 0.1, None, None, True, None), ("two", 0.25, None, None, None, False, None)]


def test_intervals_are_those_of_the_bootstrap():
    found = bootstrap({"one": 0.5}, 100)
    (row,) = measure_table({"one": {"f1@1": 0.5}}, FIRST, found).iter_rows(named=True)
    assert (row["low"], row["high"]) == pytest.approx(found.intervals.filter(k=1).select("low", "high").row(0))
