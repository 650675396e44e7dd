"""Users and tags that training has not seen, counted by hand."""

import numpy as np
import polars as pl
import pytest

from pipeline.evaluation.metrics.measure import HEADLINE
from pipeline.evaluation.ranking import Ranking, find_hits
from pipeline.evaluation.unseen import NewTags, metrics_by_users, perfect_ranking, perfect_ranking_of_own

TRAIN = pl.DataFrame({"user": ["ann", "bob"], "photo": ["1", "2"], "tags": [["sea"], ["sea", "sky"]]})
TEST = pl.DataFrame(
    {"user": ["ann", "ann", "zoe"], "photo": ["3", "4", "5"], "tags": [["sea"], ["dog", "sky"], ["cat", "dog"]]}
)


def ranking(*first: bool) -> Ranking:
    """A ranking that is right, or not, in the first place, and nowhere else."""
    return Ranking(np.array(first)[:, None] & (np.arange(10) == 0), TEST["tags"].list.len().cast(pl.Int64).to_numpy())


def test_hot_and_cold_users_are_measured_apart():
    found = metrics_by_users([ranking(True, False, True)], TEST, TRAIN)
    assert {name: (each["posts"], each["precision@1"]) for name, each in found.items()} == {
        "hot": (2, 0.5),
        "cold": (1, 1.0),
    }


def test_several_seeds_are_averaged():
    found = metrics_by_users([ranking(True, False, True), ranking(True, True, False)], TEST, TRAIN)
    assert (found["hot"]["precision@1"], found["cold"]["precision@1"]) == (0.75, 0.5)
    assert found["cold"]["precision@1_deviation"] == pytest.approx(0.5**0.5)


def test_users_who_are_all_known_are_not_told_apart():
    assert metrics_by_users([ranking(True, False, True)], TEST, TEST) == {}


def test_without_any_known_user_all_are_cold():
    assert [*metrics_by_users([ranking(True, False, True)], TEST, TRAIN.clear())] == ["cold"]


def test_new_tags_bound_recall():
    # dog twice and cat once; of the three posts, all, half and none of the tags are known.
    assert NewTags.of(TEST, TRAIN) == NewTags(3, 5, 0.5)
    assert NewTags.of(TEST, TEST) == NewTags(0, 5, 1.0)


def test_a_perfect_ranking_has_the_known_tags_first():
    # Of sea, dog sky and cat dog, training posts have sea and sky; those of ann, who has two of the posts, only sea.
    assert perfect_ranking(TEST, TRAIN).hits.sum(axis=1).tolist() == [1, 1, 0]
    assert perfect_ranking_of_own(TEST, TRAIN).hits.sum(axis=1).tolist() == [1, 0, 0]
    assert perfect_ranking_of_own(TEST, TRAIN.clear()).hits.sum() == 0
    for found in (perfect_ranking(TEST, TRAIN), perfect_ranking_of_own(TEST, TRAIN)):
        assert found.sizes.tolist() == [1, 2, 2]
        assert (np.diff(found.hits.astype(int)) <= 0).all()


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
