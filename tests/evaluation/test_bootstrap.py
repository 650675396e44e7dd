"""Paired bootstrap: hand-computed figures, and properties of the intervals of every metric."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipeline.evaluation import bootstrap
from pipeline.evaluation.bootstrap import BootstrapConfig, paired_bootstrap
from pipeline.evaluation.metrics.registry import METRICS
from pipeline.evaluation.ranking import Ranking

CONFIG = BootstrapConfig(resamples=300, level=0.95)


def run(hits: dict[str, np.ndarray], sizes: np.ndarray, config: BootstrapConfig = CONFIG, seed: int = 0):
    """The bootstrap of models with these hits (posts, K) in posts of these numbers of tags."""
    rankings = {model: Ranking(np.asarray(array, bool), sizes) for model, array in hits.items()}
    return paired_bootstrap(rankings, config, np.random.default_rng(seed))


@st.composite
def results(draw):
    """Hits of two models in some posts, and |T_ui|: no post has more hits than tags."""
    posts, depth = draw(st.integers(1, 30)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    sizes = rng.integers(1, 6, posts)
    drawn = {model: rng.random((posts, depth)) < 0.5 for model in ("a", "b")}
    return {model: hits & (hits.cumsum(axis=1) <= sizes[:, None]) for model, hits in drawn.items()}, sizes


def test_f1_is_the_harmonic_mean_of_the_two_averages():
    # K = 2: precision (1/2 + 0/2) / 2 = 1/4, recall (1/1 + 0/4) / 2 = 1/2, so F1 = 2 · 1/4 · 1/2 / (3/4) = 1/3.
    table = run({"fm": [[0, 1], [0, 0]]}, np.array([1, 4])).of("f1").intervals
    assert table["model"].to_list() == ["fm", "fm"]
    assert table["k"].to_list() == [1, 2]
    assert table["value"].to_list() == pytest.approx([0.0, 1 / 3])


def test_interval_of_two_posts_is_the_extremes():
    # One post is all right, the other all wrong: a resample has 0, 1 or 2 good posts (1/4, 1/2, 1/4), so that each
    # metric is 0, 1/2 or 1.
    table = run({"fm": [[1], [0]]}, np.array([1, 1])).intervals
    assert table["metric"].to_list() == list(METRICS)
    assert table.select("low", "value", "high").unique().rows() == [(0.0, 0.5, 1.0)]


def test_interval_agrees_with_the_normal_approximation():
    # K = |T| = 1: F1 is a mean of 0s and 1s; its 95 % interval is p ± 1.96 √(p(1-p)/n).
    hits = np.arange(400)[:, None] < 100
    row = run({"fm": hits}, np.ones(400, int), BootstrapConfig(resamples=4000, level=0.95)).intervals.row(0, named=True)
    half = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert (row["low"], row["high"]) == pytest.approx((0.25 - half, 0.25 + half), abs=0.005)


def test_resamples_are_the_same_for_all_models():
    # `better` has exactly one more hit at K = 1 in every post, so the difference cannot vary although each model does.
    worse = np.zeros((20, 1), bool)
    table = run({"better": ~worse, "worse": worse}, np.ones(20, int)).differences
    assert table.row(0) == ("f1", "better", "worse", 1, 1.0, 1.0, 1.0, True)


def test_resamples_are_the_same_for_all_metrics():
    # With one tag a post, precision@1, recall@1 and the hit rate@1 are one number.
    table = run({"fm": np.arange(20)[:, None] < 7}, np.ones(20, int)).intervals
    assert table.select("value", "low", "high").unique().height == 1


def test_a_difference_in_few_posts_is_not_significant():
    one, other = np.ones((10, 1), bool), np.ones((10, 1), bool)
    one[0], other[1] = False, False
    assert not run({"a": one, "b": other}, np.ones(10, int)).differences["significant"].any()


def test_a_handful_of_posts_shows_nothing():
    """T17: the interval of one post is a point, clear of zero."""
    table = run({"a": np.ones((1, 1), bool), "b": np.zeros((1, 1), bool)}, np.ones(1, int)).differences
    assert table.row(0) == ("f1", "a", "b", 1, 1.0, 1.0, 1.0, False)


def test_batches_change_nothing(monkeypatch):
    hits, sizes = {"a": np.eye(7, 3)}, np.full(7, 2)
    whole = run(hits, sizes).intervals
    monkeypatch.setattr(bootstrap, "BATCH", 16)
    assert_frame_equal(run(hits, sizes).intervals, whole)


@given(results())
@settings(max_examples=40, deadline=None)
def test_intervals_contain_the_estimate(data):
    found = run(*data)
    for table, value in ((found.intervals, "value"), (found.differences, "difference")):
        assert table.filter(
            (pl.col(value) < pl.col("low") - 1e-12) | (pl.col(value) > pl.col("high") + 1e-12)
        ).is_empty()


@given(results())
@settings(max_examples=40, deadline=None)
def test_estimates_are_the_metrics(data):
    hits, sizes = data
    table = run(hits, sizes).intervals
    for model, array in hits.items():
        for name, metric in METRICS.items():
            found = table.filter(metric=name, model=model)["value"]
            np.testing.assert_allclose(found, metric.at_each_k(array, sizes), atol=1e-12)


@given(results())
@settings(max_examples=40, deadline=None)
def test_differences_are_antisymmetric(data):
    table = run(*data).differences
    there, back = (table.filter(pl.col("model") == model) for model in ("a", "b"))
    np.testing.assert_allclose(there["difference"], -back["difference"], atol=1e-12)
    np.testing.assert_allclose(there["low"], -back["high"], atol=1e-12)
    np.testing.assert_allclose(there["high"], -back["low"], atol=1e-12)
    assert there["significant"].to_list() == back["significant"].to_list()


@given(results())
@settings(max_examples=40, deadline=None)
def test_a_model_does_not_differ_from_itself(data):
    hits, sizes = data
    table = run({"a": hits["a"], "twin": hits["a"]}, sizes).differences
    np.testing.assert_allclose(table.select("difference", "low", "high"), 0, atol=1e-12)
    assert not table["significant"].any()


def test_a_model_is_judged_alike_in_any_company():
    hits = np.array([[0, 1], [1, 0], [0, 0], [1, 1]])
    sizes = np.array([1, 2, 3, 4])
    alone = run({"a": hits}, sizes).intervals
    together = run({"b": hits * 0, "a": hits}, sizes).intervals
    assert_frame_equal(together.filter(pl.col("model") == "a"), alone)


def test_a_generator_in_the_same_state_gives_the_same_intervals():
    hits, sizes = {"a": np.eye(9, 3)}, np.full(9, 2)
    assert run(hits, sizes, seed=1).intervals.equals(run(hits, sizes, seed=1).intervals)
    assert not run(hits, sizes, seed=1).intervals.equals(run(hits, sizes, seed=2).intervals)


@pytest.mark.parametrize("sizes", [np.array([], int), np.array([1, 2, 3])])
def test_hits_that_do_not_fit_the_posts_are_refused(sizes):
    with pytest.raises(ValueError, match=f"{sizes.size} test posts"):
        run({"a": np.zeros((2, 1))}, sizes)
