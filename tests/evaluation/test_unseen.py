"""Users and tags that training has not seen, counted by hand."""

import numpy as np
import polars as pl
import pytest

from pipeline.evaluation.metrics.measure import HEADLINE
from pipeline.evaluation.ranking import find_hits
from pipeline.evaluation.unseen import (
    NewTags,
    divide_by_users,
    find_hits_of,
    metrics_by_users,
    perfect_ranking,
    perfect_ranking_of_own,
    recommend_after_folding_in,
)
from pipeline.features.store import Features
from pipeline.models.popular import Popular, PopularConfig
from pipeline.models.user_popular import UserPopular, UserPopularConfig

TRAIN = pl.DataFrame({"user": ["ann", "bob"], "photo": ["1", "2"], "tags": [["sea"], ["sea", "sky"]]})
TEST = pl.DataFrame(
    {"user": ["ann", "ann", "zoe"], "photo": ["3", "4", "5"], "tags": [["sea"], ["dog", "sky"], ["cat", "dog"]]}
)


NEW = pl.DataFrame({"user": ["zoe"], "photo": ["6"], "tags": [["cat", "sky"]]})
"""The other post of zoe, where she is a new user; cat is in no training post."""
NOBODY = NEW.clear()


def suggested(*first: bool) -> pl.DataFrame:
    """Suggestions that are right, or not, in the first place, and nowhere else."""
    tags = [[own[0] if right else "none"] for own, right in zip(TEST["tags"], first, strict=True)]
    return TEST.select("user", "photo").with_columns(tags=pl.Series(tags))


def test_users_are_divided_by_what_is_known_of_them():
    groups = divide_by_users(TEST, TRAIN, NOBODY)
    assert {name: posts["photo"].to_list() for name, posts in groups.items()} == {"hot": ["3", "4"], "cold": ["5"]}
    groups = divide_by_users(TEST, TRAIN, NEW)
    assert {name: posts["photo"].to_list() for name, posts in groups.items()} == {
        "hot": ["3", "4"],
        "warm": ["5"],
        "cold": ["5"],
    }


def test_users_who_are_all_known_are_not_divided():
    assert divide_by_users(TEST, TEST, NOBODY) == {}


def test_without_any_known_user_all_are_cold():
    assert [*divide_by_users(TEST, TRAIN.clear(), NOBODY)] == ["cold"]


def test_hot_and_cold_users_are_measured_apart():
    found = metrics_by_users([suggested(True, False, True)], divide_by_users(TEST, TRAIN, NOBODY))
    assert {name: (each["posts"], each["precision@1"]) for name, each in found.items()} == {
        "hot": (2, 0.5),
        "cold": (1, 1.0),
    }


def test_several_seeds_are_averaged():
    seeds = [suggested(True, False, True), suggested(True, True, False)]
    found = metrics_by_users(seeds, divide_by_users(TEST, TRAIN, NOBODY))
    assert (found["hot"]["precision@1"], found["cold"]["precision@1"]) == (0.75, 0.5)
    assert found["cold"]["precision@1_deviation"] == pytest.approx(0.5**0.5)


def test_new_users_are_warm_once_they_are_folded_in_and_cold_before():
    features = Features(pl.Series([], dtype=pl.String), {})
    model = UserPopular.fit(UserPopularConfig(kind="user-popular", features="none"), TRAIN, features)
    test = TEST.with_columns(tags=pl.Series([["sea"], ["dog", "sky"], ["sky"]]))
    found = recommend_after_folding_in(model, test, NEW, features)
    # sea is on two training posts, sky on one, and on the post that is folded in; cat remains unknown.
    assert found["tags"].to_list() == [["sea", "sky"], ["sea", "sky"], ["sky", "sea"]]
    assert found["tags_as_trained"].to_list() == [["sea", "sky"]] * 3
    groups = divide_by_users(test, TRAIN, NEW)
    metrics = metrics_by_users([found], groups)
    assert {name: (each["posts"], each["precision@1"]) for name, each in metrics.items()} == {
        "hot": (2, 0.5),
        "warm": (1, 1.0),
        "cold": (1, 0.0),
    }
    assert find_hits_of("cold", groups["cold"], found).hits[0, :2].tolist() == [False, True]


def test_folding_in_changes_nothing_without_new_users_or_where_a_model_knows_no_users():
    features = Features(pl.Series([], dtype=pl.String), {})
    model = Popular.fit(PopularConfig(kind="popular", features="none"), TRAIN, features)
    assert recommend_after_folding_in(model, TEST, NOBODY, features).columns == ["user", "photo", "tags", "scores"]
    found = recommend_after_folding_in(model, TEST, NEW, features)
    assert found["tags"].to_list() == found["tags_as_trained"].to_list()


def test_new_tags_bound_recall():
    # dog twice and cat once; of the three posts, all, half and none of the tags are known.
    assert NewTags.of(TEST, TRAIN) == NewTags(3, 5, 0.5)
    assert NewTags.of(TEST, TEST) == NewTags(0, 5, 1.0)


def test_a_perfect_ranking_has_the_known_tags_first():
    # Of sea, dog sky and cat dog, training posts have sea and sky; those of ann, who has two of the posts, only sea.
    assert perfect_ranking(TEST, TRAIN).hits.sum(axis=1).tolist() == [1, 1, 0]
    assert perfect_ranking_of_own(TEST, TRAIN, NOBODY).hits.sum(axis=1).tolist() == [1, 0, 0]
    assert perfect_ranking_of_own(TEST, TRAIN.clear(), NOBODY).hits.sum() == 0
    for found in (perfect_ranking(TEST, TRAIN), perfect_ranking_of_own(TEST, TRAIN, NOBODY)):
        assert found.sizes.tolist() == [1, 2, 2]
        assert (np.diff(found.hits.astype(int)) <= 0).all()


def test_the_posts_of_new_users_are_their_own_but_make_no_tag_known():
    # Of the new user's cat, dog and sky, only sky is on a training post.
    test = TEST.with_columns(tags=pl.Series([["sea"], ["dog", "sky"], ["cat", "sky"]]))
    assert perfect_ranking_of_own(test, TRAIN, NEW).hits.sum(axis=1).tolist() == [1, 0, 1]
    assert perfect_ranking(test, TRAIN).hits.sum(axis=1).tolist() == [1, 1, 1]


def test_no_ranking_of_the_same_tags_is_better_than_the_perfect_one():
    rng = np.random.default_rng(0)
    tags = [f"t{number}" for number in range(14)]
    frame = pl.DataFrame(
        {
            "user": [f"u{number % 3}" for number in range(40)],
            "photo": [str(number) for number in range(40)],
            "tags": [rng.choice(tags, rng.integers(1, 13), replace=False).tolist() for _ in range(40)],
        }
    )
    train, test = frame.head(3), frame.tail(37)
    known = train["tags"].explode().unique().to_list()
    perfect = perfect_ranking(test, train)
    for _ in range(20):
        suggested = [rng.permutation(known)[:10].tolist() for _ in range(len(test))]
        ranking = find_hits(test, test.select("user", "photo").with_columns(tags=pl.Series(suggested)))
        assert (np.cumsum(ranking.hits, axis=1) <= np.cumsum(perfect.hits, axis=1)).all()
        assert (HEADLINE.of(ranking.hits, ranking.sizes) <= HEADLINE.of(perfect.hits, perfect.sizes)).all()
