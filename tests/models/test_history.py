"""FM and PITF with a history: bags and scores worked out by hand, and what is learnt at once."""

from functools import cache

import numpy as np
import polars as pl
import pytest

from pipeline.data.schema import DATED_POST, PHOTO, TAG, TAGS, TIME, USER
from pipeline.features.store import Features
from pipeline.models import history
from pipeline.models.folding import NEW_STRENGTH, learn_user
from pipeline.models.history import HISTORY, History, HistoryConfig, HistoryFactorisation
from pipeline.models.own_posts import MOMENT, UNWEIGHTED

NAMES = {USER: ["ann", "bob"], TAG: ["sea", "sky", "sun"], PHOTO: ["p", "q", "r", "s"]}
POSTS = pl.DataFrame(
    [
        ("ann", "p", ["sea"], 0),
        ("ann", "q", ["sea", "sky"], 1 * MOMENT),
        ("ann", "r", ["sun"], 4 * MOMENT),
        ("bob", "s", ["sun"], None),
    ],
    schema=list(DATED_POST),
    orient="row",
)
FEATURES = Features(pl.Series(NAMES[PHOTO]), {})
U, H, V = np.float32([[2, -1], [0, 3]]), np.float32([[1, 0], [0, 10], [100, 0]]), np.float32([[1, 0], [0, 1], [1, 1]])


def shares(*votes: float) -> np.ndarray:
    """Votes as shares of their sum, (T,)."""
    counts = np.array(votes)
    return counts / counts.sum()


def dense(found: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    counts, tags, weights = found
    bags = np.zeros((len(counts), 3))
    bags[np.repeat(np.arange(len(counts)), counts), tags] = weights
    return bags


def model(kind: str) -> HistoryFactorisation:
    kept = History.of(POSTS, NAMES, 1.0).own.tensors
    tag = V if kind == "fm-history" else np.concatenate([V, np.zeros((3, 2), np.float32)], axis=1)
    tensors = {HISTORY: H, PHOTO: np.zeros((4, 2), np.float32), TAG: tag} | kept
    bias = {"bias": np.zeros(3, np.float32)} if kind == "fm-history" else {}
    return HistoryFactorisation(HistoryConfig(kind=kind, features="none", fading=1.0), NAMES, tensors | bias)


@cache
def with_factors() -> HistoryFactorisation:
    """The model of PITF, with factors of users that meet columns like those of the bag."""
    known = model("pitf-history")
    tensors = {USER: U, TAG: np.concatenate([V, known.tensors[TAG]], axis=1)}
    config = known.config.model_copy(update={"user_factor": True})
    return HistoryFactorisation(config, NAMES, known.tensors | tensors)


def test_a_post_is_left_out_of_its_own_bag_and_far_ones_weigh_less():
    # ann's p: q is 1 moment away, r 4: weights 1/2 and 1/5, of tags sea, sky and sun. q: p 1/2, r 1/4. r: p 1/5, q 1/4.
    expected = [shares(1 / 2, 1 / 2, 1 / 5), shares(1 / 2, 0, 1 / 4), shares(1 / 5 + 1 / 4, 1 / 4, 0), [0, 0, 0]]
    np.testing.assert_allclose(dense(History.of(POSTS, NAMES, 1.0).bags(POSTS)), expected, atol=UNWEIGHTED)
    np.testing.assert_array_equal(dense(History.of(POSTS, NAMES, 1.0).bags(POSTS)) == 0, np.array(expected) == 0)


def test_the_order_of_posts_does_not_matter():
    kept = History.of(POSTS.reverse(), NAMES, 1.0)
    np.testing.assert_array_equal(
        dense(kept.bags(POSTS.reverse()))[::-1], dense(History.of(POSTS, NAMES, 1.0).bags(POSTS))
    )


def test_posts_that_are_not_in_training_see_all():
    new = pl.DataFrame({USER: ["ann", "eve"], PHOTO: ["new", "p"], TIME: [5 * MOMENT, 0]})
    expected = [shares(1 / 6 + 1 / 5, 1 / 5, 1 / 2), [0, 0, 0]]
    np.testing.assert_allclose(dense(History.of(POSTS, NAMES, 1.0).bags(new)), expected, atol=UNWEIGHTED)


def test_long_bags_keep_the_tags_of_the_greatest_weight(monkeypatch):
    monkeypatch.setattr(history, "MAX_BAG", 2)
    counts, tags, weights = History.of(POSTS, NAMES, 1.0).bags(POSTS.with_columns(pl.lit("new").alias(PHOTO))[2:])
    assert (counts.tolist(), tags.tolist()) == ([2, 1], [0, 2, 2])
    assert weights[:2].sum() == pytest.approx(1)


def test_a_long_bag_of_equal_weights_has_no_more_tags(monkeypatch):
    monkeypatch.setattr(history, "MAX_BAG", 2)
    posts = pl.DataFrame({USER: ["ann", "ann", "bob"], PHOTO: ["p", "q", "r"], TAGS: [NAMES[TAG], ["sun"], NAMES[TAG]]})
    kept = History.of(posts, NAMES, 1.0)
    new = pl.DataFrame({USER: ["ann", "bob", "eve"], PHOTO: ["new"] * 3})
    # ann's sun counts twice, and of her others the first; bob's count alike.
    np.testing.assert_allclose(dense(kept.bags(new)), [[1 / 3, 0, 2 / 3], [1 / 2, 1 / 2, 0], [0, 0, 0]], atol=1e-6)


@pytest.mark.parametrize("kind", ["fm-history", "pitf-history"])
def test_scores(kind):
    # ann, right after r at moment 4: p 1/5, q 1/4, r 1; the vector of the shares meets V.
    new = pl.DataFrame({USER: ["ann"], PHOTO: ["new"]})
    weights = shares(1 / 5 + 1 / 4, 1 / 4, 1)
    vector = [weights[0] + 100 * weights[2], 10 * weights[1]]
    scores = model(kind).scores(new, FEATURES)
    np.testing.assert_allclose(scores, [[vector[0], vector[1], sum(vector)]], rtol=5 * UNWEIGHTED)


def test_an_accepted_post_changes_the_bag_alone():
    known = model("fm-history")
    eve = pl.DataFrame({USER: ["eve"], PHOTO: ["new"], TIME: [7 * MOMENT]})
    learnt = known.fold_in("eve", eve.with_columns(pl.Series(TAGS, [["sky"]])), FEATURES)
    np.testing.assert_allclose(learnt.scores(eve, FEATURES), [[0, 10, 10]], rtol=1e-6)
    assert all(learnt.tensors[name] is known.tensors[name] for name in (HISTORY, TAG, PHOTO))
    more = eve.with_columns(pl.lit("newer").alias(PHOTO), pl.Series(TAGS, [["sea"]]))
    np.testing.assert_allclose(learnt.fold_in("eve", more, FEATURES).scores(eve, FEATURES), [[0.5, 5, 5.5]], rtol=1e-6)


def test_the_factor_adds_to_the_scores_of_the_bag():
    bag_alone, known = model("pitf-history"), with_factors()
    new = pl.DataFrame({USER: ["ann", "bob", "eve"], PHOTO: ["new"] * 3})
    of_factor = U @ V.T  # ann and bob; eve is not known
    expected = bag_alone.scores(new, FEATURES) + np.vstack([of_factor, np.zeros(3)])
    np.testing.assert_allclose(known.scores(new, FEATURES), expected, rtol=1e-6)
    np.testing.assert_allclose(known.parts(new, FEATURES)[USER][:2], of_factor)


def test_a_factor_is_learnt_from_posts_that_are_left_out_of_their_own_bag():
    # Of two posts, each has the other's tag in its bag. The third has every tag, and stands in the bags alone.
    posts = pl.DataFrame({PHOTO: ["z", "a", "m"], TAGS: [["sea"], ["sky"], NAMES[TAG]]})
    learnt = with_factors().fold_in("eve", posts, FEATURES)
    of_a, of_z = shares(2, 1, 1) @ H @ V.T, shares(1, 2, 1) @ H @ V.T
    positives = np.array([[False, True, False], [True, False, False]])
    factor = learn_user(V, np.stack([of_a, of_z]), positives, np.zeros(2), NEW_STRENGTH)
    np.testing.assert_allclose(learnt.tensors[USER], [*U, factor], rtol=1e-4)
    assert list(learnt.names[USER]) == ["ann", "bob", "eve"]
    assert all(learnt.tensors[name] is with_factors().tensors[name] for name in (HISTORY, TAG, PHOTO))
    one = learnt.keep_users(["eve"])
    np.testing.assert_array_equal(one.tensors[USER], learnt.tensors[USER][2:])
    assert one.tensors["post_tags"].sum() == 5


def test_without_times_all_posts_count_alike():
    undated = POSTS.with_columns(pl.lit(None, pl.Int64).alias(TIME))
    found = dense(History.of(undated, NAMES, 1.0).bags(undated))
    np.testing.assert_allclose(found[0], shares(1, 1, 1), atol=1e-6)
    np.testing.assert_allclose(found[2], shares(2, 1, 0), atol=1e-6)
    assert HistoryFactorisation.misses_times(undated)


def test_without_times_no_tag_was_used_lately():
    dated = model("fm-history")
    alike = HistoryFactorisation(dated.config, NAMES, dated.tensors | {"post_time": np.zeros(4, np.int64)})
    assert dated.words(HISTORY, 1.0) == "goes with the tags that you used lately"
    assert alike.words(HISTORY, 1.0) == "goes with the tags that you use"
