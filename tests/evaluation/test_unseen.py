"""Users and tags that training has not seen, counted by hand."""

import numpy as np
import polars as pl
import pytest

from pipeline.evaluation.ranking import Ranking
from pipeline.evaluation.unseen import NewTags, metrics_by_users

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
