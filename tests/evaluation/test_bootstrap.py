"""Paired bootstrap: hand-computed values, and properties of the intervals of every metric."""

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


def run(hits: dict[str, np.ndarray], sizes: np.ndarray, config: BootstrapConfig = CONFIG, seed: int = 0, users=None):
    """The bootstrap of models with these hits (posts, K) in posts of these numbers of tags, each of another user."""
    rankings = {model: Ranking(np.asarray(array, bool), sizes) for model, array in hits.items()}
    users = pl.Series(range(len(sizes)) if users is None else users, dtype=pl.String, strict=False)
    return paired_bootstrap(rankings, users, config, np.random.default_rng(seed))


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
    worse = np.zeros((30, 1), bool)
    table = run({"better": ~worse, "worse": worse}, np.ones(30, int)).differences
    assert table.row(0) == ("f1", "better", "worse", 1, 1.0, 1.0, 1.0, "posts", True, True)


def test_resamples_are_the_same_for_all_metrics():
    # With one tag a post, precision@1, recall@1 and the hit rate@1 are one number.
    table = run({"fm": np.arange(20)[:, None] < 7}, np.ones(20, int)).intervals
    assert table.select("value", "low", "high").unique().height == 1


def test_two_different_posts_of_many_are_no_significant_difference():
    one, other = np.ones((30, 1), bool), np.ones((30, 1), bool)
    one[0], other[1] = False, False
    assert not run({"a": one, "b": other}, np.ones(30, int)).differences["significant"].any()


@pytest.mark.parametrize(("posts", "verdict"), [(1, None), (29, None), (30, True)])
def test_fewer_than_thirty_posts_have_no_verdict(posts, verdict):
    """T17: the interval of one post is a point, clear of zero."""
    found = run({"a": np.ones((posts, 1), bool), "b": np.zeros((posts, 1), bool)}, np.ones(posts, int))
    assert found.differences.row(0) == ("f1", "a", "b", 1, 1.0, 1.0, 1.0, "posts", verdict, verdict)
    assert found.too_few == (verdict is None)


def test_posts_of_a_user_that_are_alike_make_the_interval_wider():
    # 40 users of ten posts; half of the users hit all, half none. Over posts the deviation is ½/√400 = 0.025, over
    # users ½/√40 = 0.079, of which 1.96 are 0.155.
    hits, users = np.repeat(np.arange(40) < 20, 10)[:, None], np.repeat(np.arange(40), 10)
    found = run({"fm": hits}, np.ones(400, int), BootstrapConfig(resamples=4000, level=0.95), users=users)
    row = found.intervals.row(0, named=True)
    assert row["over"] == "users"
    assert (row["low"], row["high"]) == pytest.approx((0.5 - 0.155, 0.5 + 0.155), abs=0.01)
    assert (found.posts, found.users) == (400, 40)


def test_users_count_with_all_their_posts():
    # One user hits nothing in one post, the other everything in three: a resample has 0 of 2, 3 of 4, or 6 of 6.
    found = run({"fm": np.array([0, 1, 1, 1])[:, None]}, np.ones(4, int), users=["a", "b", "b", "b"]).intervals
    assert found.select("low", "value", "high", "over").unique().rows() == [(0.0, 0.75, 1.0, "users")]


def test_posts_of_a_single_user_are_resampled_alone():
    hits = np.arange(40)[:, None] < 10
    one, each = (run({"fm": hits}, np.ones(40, int), users=users) for users in (["u"] * 40, None))
    assert_frame_equal(one.intervals, each.intervals)
    assert (one.users, each.users) == (1, 40)


def test_many_comparisons_need_clearer_differences():
    # 100 posts: a hits 8 more than b, whose deviation is near √8/100, so that p is near 0.005; among the 66 pairs of
    # twelve models, of which the others are equal, it is not enough.
    base = np.arange(100) < 50
    better = np.arange(100) < 58
    few = {"a": better[:, None], "b": base[:, None]}
    many = few | {f"twin {number}": base[:, None] for number in range(10)}
    for models, clear in ((few, True), (many, False)):
        row = run(models, np.ones(100, int)).differences.row(0, named=True)
        assert (row["model"], row["other"], row["significant"], row["after_holm"]) == ("a", "b", True, clear)


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
    for verdict in ("significant", "after_holm"):
        assert there[verdict].to_list() == back[verdict].to_list()


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
