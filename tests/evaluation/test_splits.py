"""The same models under several splits: what a random one leaks."""

import polars as pl
import pytest

from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.splits import compare_splits
from pipeline.models.object_names import ObjectNamesConfig
from pipeline.models.user_popular import UserPopularConfig

DAY = 24 * 60 * 60 * 1000
POSTS = pl.DataFrame(
    {
        "user": ["ann"] * 20,
        "photo": [f"{n:02}" for n in range(20)],
        "tags": [["old" if n < 16 else "new"] for n in range(20)],
        "time": [n // 4 * DAY for n in range(20)],
    }
)
"""Twenty posts on five days: the newest fifth, the last day, has a tag of its own."""
MODELS = {
    "habits": UserPopularConfig(kind="user-popular", features="none"),
    "names": ObjectNamesConfig(kind="object-names", features="objects"),
}


def test_a_new_tag_is_found_where_its_occasion_is_known_in_part():
    table = compare_splits(POSTS, MODELS, Measure("recall", 2), 0)
    (row,) = table.rows(named=True)
    # Of the four newest posts all are new, and none left to learn from; drawn at random, both tags stay in training.
    assert row["model"] == "habits"
    assert row["the newest"] == 0
    assert row["at random"] == 1


def test_without_times_or_posts_enough_there_is_nothing_to_compare():
    assert compare_splits(POSTS.with_columns(time=pl.lit(None, pl.Int64)), MODELS, Measure("f1", 1), 0).is_empty()
    assert compare_splits(POSTS, {}, Measure("f1", 1), 0).is_empty()
    few = compare_splits(POSTS.head(2), MODELS, Measure("f1", 1), 0)
    assert few.row(0) == ("habits", None, None, None)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_seed_gives_one_result(seed):
    once, again = (compare_splits(POSTS, MODELS, Measure("f1", 1), seed) for _ in range(2))
    assert once.equals(again)
