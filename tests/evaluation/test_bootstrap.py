"""Paired bootstrap: hand-computed figures, properties of the intervals, hits from suggestions."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipeline.evaluation import bootstrap
from pipeline.evaluation.bootstrap import BootstrapConfig, cumulated_hits, paired_bootstrap

CONFIG = BootstrapConfig(resamples=300, level=0.95)


def run(hits: dict[str, np.ndarray], tags: np.ndarray, config: BootstrapConfig = CONFIG, seed: int = 0):
    return paired_bootstrap(hits, tags, config, np.random.default_rng(seed))


@st.composite
def results(draw):
    """Cumulated hits of two models over some posts, and |T_ui|: no post has more hits than tags."""
    posts, depth = draw(st.integers(1, 30)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    tags = rng.integers(1, 6, posts)
    hits = {
        model: np.minimum(rng.random((posts, depth)).round().astype(int).cumsum(axis=1), tags[:, None])
        for model in ("a", "b")
    }
    return hits, tags


def test_f1_is_the_harmonic_mean_of_the_two_averages():
    # K = 2: precision (1/2 + 0/2) / 2 = 1/4, recall (1/1 + 0/4) / 2 = 1/2, so F1 = 2 · 1/4 · 1/2 / (3/4) = 1/3.
    hits = np.array([[0, 1], [0, 0]])
    table = run({"fm": hits}, np.array([1, 4])).intervals
    assert table["model"].to_list() == ["fm", "fm"]
    assert table["k"].to_list() == [1, 2]
    assert table["f1"].to_list() == pytest.approx([0.0, 1 / 3])


def test_interval_of_two_posts_is_the_extremes():
    # One post is all right, the other all wrong: a resample has 0, 1 or 2 good posts (1/4, 1/2, 1/4), F1 0, 1/2 or 1.
    row = run({"fm": np.array([[1], [0]])}, np.array([1, 1])).intervals.row(0, named=True)
    assert (row["low"], row["f1"], row["high"]) == (0.0, 0.5, 1.0)


def test_interval_agrees_with_the_normal_approximation():
    # K = |T| = 1: F1 is a mean of 0s and 1s; its 95 % interval is p ± 1.96 √(p(1-p)/n).
    hits = (np.arange(400) < 100).astype(int)[:, None]
    row = run({"fm": hits}, np.ones(400, int), BootstrapConfig(resamples=4000, level=0.95)).intervals.row(0, named=True)
    half = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert (row["low"], row["high"]) == pytest.approx((0.25 - half, 0.25 + half), abs=0.005)


def test_resamples_are_the_same_for_all_models():
    # `better` has exactly one more hit at K = 1 in every post, so the difference cannot vary although each model does.
    worse = np.zeros((20, 1), int)
    table = run({"better": worse + 1, "worse": worse}, np.ones(20, int)).differences
    assert table.row(0) == ("better", "worse", 1, 1.0, 1.0, 1.0, True)


def test_a_difference_in_few_posts_is_not_significant():
    one, other = np.ones((10, 1), int), np.ones((10, 1), int)
    one[0], other[1] = 0, 0
    assert run({"a": one, "b": other}, np.ones(10, int)).differences["significant"].to_list() == [False, False]


def test_batches_change_nothing(monkeypatch):
    hits, tags = {"a": np.eye(7, 3, dtype=int).cumsum(axis=1)}, np.full(7, 2)
    whole = run(hits, tags).intervals
    monkeypatch.setattr(bootstrap, "BATCH", 16)
    assert_frame_equal(run(hits, tags).intervals, whole)


@given(results())
@settings(max_examples=40, deadline=None)
def test_intervals_contain_the_estimate(data):
    found = run(*data)
    for table, value in ((found.intervals, "f1"), (found.differences, "difference")):
        assert table.filter(
            (pl.col(value) < pl.col("low") - 1e-12) | (pl.col(value) > pl.col("high") + 1e-12)
        ).is_empty()


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
    hits, tags = data
    table = run({"a": hits["a"], "twin": hits["a"]}, tags).differences
    np.testing.assert_allclose(table.select("difference", "low", "high"), 0, atol=1e-12)
    assert not table["significant"].any()


def test_a_model_is_judged_alike_in_any_company():
    hits = np.array([[0, 1], [1, 1], [0, 0], [1, 2]])
    tags = np.array([1, 2, 3, 4])
    alone = run({"a": hits}, tags).intervals
    together = run({"b": hits * 0, "a": hits}, tags).intervals
    assert_frame_equal(together.filter(pl.col("model") == "a"), alone)


def test_a_generator_in_the_same_state_gives_the_same_intervals():
    hits, tags = {"a": np.eye(9, 3, dtype=int).cumsum(axis=1)}, np.full(9, 2)
    assert run(hits, tags, seed=1).intervals.equals(run(hits, tags, seed=1).intervals)
    assert not run(hits, tags, seed=1).intervals.equals(run(hits, tags, seed=2).intervals)


@pytest.mark.parametrize("tags", [np.array([], int), np.array([1, 2, 3])])
def test_hits_that_do_not_fit_the_posts_are_refused(tags):
    with pytest.raises(ValueError, match=f"{tags.size} test posts"):
        run({"a": np.zeros((2, 1), int)}, tags)


def test_cumulated_hits_follow_the_test_posts_and_pad_short_lists():
    test = pl.DataFrame({"user": ["u", "v"], "photo": ["p", "p"], "tags": [["x", "y"], ["z"]]})
    found = pl.DataFrame({"user": ["v", "u"], "photo": ["p", "p"], "tags": [["x"], ["y", "z", "x"]]})
    assert cumulated_hits(test, found, 4).tolist() == [[1, 1, 2, 2], [0, 0, 0, 0]]


def test_hits_need_suggestions_for_each_post():
    test = pl.DataFrame({"user": ["u", "v"], "photo": ["p", "p"], "tags": [["x"], ["z"]]})
    with pytest.raises(ValueError, match="each test post exactly once"):
        cumulated_hits(test, test.head(1), 4)
