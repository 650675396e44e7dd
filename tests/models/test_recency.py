"""Fading habits, against activations worked out by hand."""

import numpy as np
import polars as pl
import pytest

from pipeline.features.store import Features
from pipeline.models.mixed_popular import MixedPopular, MixedPopularConfig
from pipeline.models.own_posts import UNWEIGHTED
from pipeline.models.recency import LATELY, Recency, RecencyConfig

MINUTE = 60_000
POSTS = pl.DataFrame(
    {
        "user": ["ann", "ann", "ann", "bob"],
        "photo": ["1", "2", "3", "1"],
        "tags": [["dog"], ["sea", "sun"], ["sea"], ["sky", "sun"]],
        "time": [0, 96 * MINUTE, 84 * MINUTE, 0],
    }
)
NOTHING = Features(pl.Series([], dtype=pl.String), {})
CLOSE = {"atol": 2 * UNWEIGHTED}


def fitted(fading: float = 0.5, personal: float = 1, posts: pl.DataFrame = POSTS) -> Recency:
    return Recency.fit(RecencyConfig(kind="recency", features="none", fading=fading, personal=personal), posts, NOTHING)


def scores(model: Recency, minute: int | None, user: str = "ann", photo: str = "new") -> np.ndarray:
    time = pl.Series([minute and minute * MINUTE], dtype=pl.Int64)
    return model.scores(pl.DataFrame({"user": [user], "photo": [photo], "time": time}), NOTHING)[0]


def test_a_tag_fades_by_a_power_of_its_ages():
    assert fitted().tags == ["dog", "sea", "sky", "sun"]
    # At minute 99 ann's posts are 99, 3 and 15 minutes old: 100^-½ = 1/10, 4^-½ = 1/2, 16^-½ = 1/4.
    dog, sea, sun = 1 / 10, 1 / 2 + 1 / 4, 1 / 2
    np.testing.assert_allclose(scores(fitted(), 99), np.array([dog, sea, 0, sun]) / (dog + sea + sun), **CLOSE)
    # With d = 1: 1/100, 1/4 and 1/16.
    dog, sea, sun = 1 / 100, 1 / 4 + 1 / 16, 1 / 4
    np.testing.assert_allclose(scores(fitted(1), 99), np.array([dog, sea, 0, sun]) / (dog + sea + sun), **CLOSE)


def test_later_posts_count_by_their_distance():
    # At minute 3: 3, 93 and 81 minutes away.
    dog, sun = 4**-0.5, 94**-0.5
    sea = sun + 82**-0.5
    np.testing.assert_allclose(scores(fitted(), 3), np.array([dog, sea, 0, sun]) / (dog + sea + sun), **CLOSE)


def test_the_photos_tags_are_mixed_in():
    # Photo 1 was given dog, sky and sun once.
    own, photo = scores(fitted(), 99), np.array([1, 0, 1, 1]) / 3
    np.testing.assert_allclose(scores(fitted(personal=0.25), 99, photo="1"), 0.25 * own + 0.75 * photo, atol=1e-8)
    np.testing.assert_allclose(scores(fitted(personal=0.25), 99, "eve", "1"), 0.75 * photo, atol=1e-8)


def test_a_post_of_unknown_time_is_as_new_as_the_users_newest():
    np.testing.assert_array_equal(scores(fitted(), None), scores(fitted(), 96))
    without = pl.DataFrame({"user": ["ann"], "photo": ["new"]})
    np.testing.assert_array_equal(fitted().scores(without, NOTHING)[0], scores(fitted(), 96))


def test_a_training_post_of_unknown_time_is_as_old_as_the_users_oldest():
    unknown = POSTS.with_columns(time=pl.Series([None, 96 * MINUTE, 84 * MINUTE, None], dtype=pl.Int64))
    known = POSTS.with_columns(time=pl.Series([84 * MINUTE, 96 * MINUTE, 84 * MINUTE, 0]))
    np.testing.assert_array_equal(scores(fitted(posts=unknown), 99), scores(fitted(posts=known), 99))


def test_without_times_and_without_fading_posts_are_counted():
    counts = MixedPopular.fit(MixedPopularConfig(kind="mixed-popular", features="none", personal=0.5), POSTS, NOTHING)
    asked = pl.DataFrame({"user": ["ann", "bob", "eve"], "photo": ["1", "new", "1"]})
    for model in (fitted(personal=0.5, posts=POSTS.drop("time")), fitted(0, 0.5)):
        np.testing.assert_allclose(model.scores(asked, NOTHING), counts.scores(asked, NOTHING), **CLOSE)


def test_it_says_where_no_post_has_a_time():
    unknown = POSTS.with_columns(time=pl.lit(None, pl.Int64))
    assert [Recency.misses_times(posts) for posts in (POSTS, unknown, POSTS.drop("time"))] == [False, True, True]
    assert not MixedPopular.misses_times(unknown)


def test_old_tags_that_no_near_post_has_are_ordered_by_counts_before_all_others():
    years = POSTS.with_columns(time=pl.Series([0, 1, 1, 0]) * 60 * 24 * 365 * MINUTE)
    dog, sea, sky, sun = scores(fitted(10, posts=years), 60 * 24 * 365)
    assert sea > sun > dog > 1e-6 > sky


def test_what_was_accepted_counts_at_its_time_and_as_the_newest_without_one():
    more = pl.DataFrame({"photo": ["4"], "tags": [["sky"]], "time": pl.Series([None], dtype=pl.Int64)})
    newest = POSTS.vstack(pl.DataFrame({"user": ["ann"], "photo": ["4"], "tags": [["sky"]], "time": [96 * MINUTE]}))
    learnt = fitted().fold_in("ann", more, NOTHING)
    np.testing.assert_allclose(scores(learnt, 99), scores(fitted(posts=newest), 99), atol=1e-9)
    dated = fitted().fold_in("ann", more.with_columns(time=pl.lit(84 * MINUTE)), NOTHING)
    earlier = newest.with_columns(time=pl.Series([0, 96, 84, 0, 84]) * MINUTE)
    np.testing.assert_allclose(scores(dated, 99), scores(fitted(posts=earlier), 99), atol=1e-9)
    assert scores(learnt, 99)[2] > scores(dated, 99)[2]


def test_the_times_of_other_users_are_forgotten():
    alone = fitted().keep_users(["bob"])
    assert alone.tensors["post_time"].tolist() == [0]
    np.testing.assert_array_equal(scores(alone, 99, "bob"), scores(fitted(), 99, "bob"))


@pytest.mark.parametrize("personal", [-0.1, 1.1])
def test_the_weight_is_a_share(personal):
    with pytest.raises(ValueError, match="personal"):
        fitted(personal=personal)


@pytest.mark.parametrize(("posts", "words"), [(POSTS, "you used it lately"), (POSTS.drop("time"), "you use it")])
def test_without_times_no_tag_was_used_lately(posts, words):
    assert fitted(posts=posts).words(LATELY, 1.0) == words
