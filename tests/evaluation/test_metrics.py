"""Eq. 10, against figures worked out by hand."""

import numpy as np
import polars as pl
import pytest

from pipeline.errors import InputError
from pipeline.evaluation.metrics import (
    curve,
    mean_curve,
    metrics,
    metrics_over_seeds,
    rank,
    recommendations,
)
from pipeline.features.store import Features
from pipeline.models.config import PopularConfig
from pipeline.models.model import Model

NOTHING = Features(pl.Series([], dtype=pl.String), {})


class Fixed(Model):
    """Gives each photo, named by a number, that row of a table of scores."""

    def __init__(self, tags, table):
        super().__init__(PopularConfig(kind="popular", features="none"), {"tags": tags}, {"table": np.float32(table)})

    def scores(self, posts, features):  # noqa: ARG002
        return self.tensors["table"][posts["photo"].cast(pl.Int64).to_numpy()]


def posts(*tags: list[str]) -> pl.DataFrame:
    photos = [str(number) for number in range(len(tags))]
    return pl.DataFrame({"user": ["u"] * len(tags), "photo": photos, "tags": list(tags)})


THREE = Fixed(["a", "b", "c"], [[3, 2, 1], [1, 2, 3]])
TEST = posts(["a", "c"], ["b", "x", "y", "z"])
"""Suggested: a b c (hit, miss, hit) and c b a (miss, hit, miss); x, y and z are tags that the model cannot know."""


def test_precision_and_recall_are_averaged_before_their_harmonic_mean():
    table = curve(rank(THREE, TEST, NOTHING))
    precision = [(1 + 0) / 2, (1 / 2 + 1 / 2) / 2, (2 / 3 + 1 / 3) / 2]
    recall = [(1 / 2 + 0) / 2, (1 / 2 + 1 / 4) / 2, (1 + 1 / 4) / 2]
    assert table["k"].to_list() == list(range(1, 11))
    assert table["precision"].to_list()[:3] == pytest.approx(precision)
    assert table["recall"].to_list()[:3] == pytest.approx(recall)
    f1 = [2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True)]
    assert table["f1"].to_list()[:3] == pytest.approx(f1)


def test_precision_divides_by_k_even_where_there_are_fewer_tags():
    table = curve(rank(THREE, TEST, NOTHING))
    assert table["precision"][9] == pytest.approx((2 / 10 + 1 / 10) / 2)
    assert table["recall"][9] == pytest.approx((1 + 1 / 4) / 2)


def test_no_hit_at_all_is_zero():
    figures = metrics(rank(THREE, posts(["x"], ["y"]), NOTHING))
    assert set(figures.values()) == {0.0}


def test_figures_have_flat_names():
    figures = metrics(rank(THREE, TEST, NOTHING))
    assert list(figures) == [f"{name}@{k}" for name in ("f1", "precision", "recall") for k in range(1, 11)]
    assert figures["f1@1"] == pytest.approx(2 * 0.5 * 0.25 / 0.75)
    assert all(type(value) is float for value in figures.values())


def test_several_seeds_give_means_and_deviations():
    rankings = [
        rank(Fixed(["a", "b", "c"], table), TEST, NOTHING) for table in ([[3, 2, 1], [1, 2, 3]], [[2, 3, 1]] * 2)
    ]
    # Precision@1 is 1/2 · (1 + 0) and 1/2 · (0 + 1); recall@1 is 1/2 · (1/2 + 0) and 1/2 · (0 + 1/4).
    figures = metrics_over_seeds(rankings)
    assert figures["precision@1"] == 0.5
    assert figures["precision@1_deviation"] == 0
    assert figures["recall@1"] == pytest.approx((0.25 + 0.125) / 2)
    assert figures["recall@1_deviation"] == pytest.approx(0.125 / 2**0.5)
    table = mean_curve(rankings)
    assert table["k"].to_list() == list(range(1, 11))
    assert table["recall"][0] == pytest.approx((0.25 + 0.125) / 2)
    assert metrics_over_seeds(rankings[:1]) == metrics(rankings[0])


def test_hits_and_sizes_of_each_post():
    ranking = rank(THREE, TEST, NOTHING)
    assert ranking.hits.shape == (2, 10)
    assert np.argwhere(ranking.hits).tolist() == [[0, 0], [0, 2], [1, 1]]
    assert ranking.sizes.tolist() == [2, 4]


def test_recommendations_hold_what_there_is_best_first():
    frame = recommendations(rank(THREE, TEST, NOTHING), TEST, ["a", "b", "c"])
    assert frame.schema == {
        "user": pl.String,
        "photo": pl.String,
        "tags": pl.List(pl.String),
        "scores": pl.List(pl.Float32),
    }
    assert frame["tags"].to_list() == [["a", "b", "c"], ["c", "b", "a"]]
    assert frame["scores"].to_list() == [[3, 2, 1], [3, 2, 1]]


def test_ten_suggestions_at_most():
    tags = [f"{number:02}" for number in range(12)]
    test = posts(["00"])
    frame = recommendations(rank(Fixed(tags, [range(12)]), test, NOTHING), test, tags)
    assert frame["tags"].to_list() == [["11", "10", "09", "08", "07", "06", "05", "04", "03", "02"]]


def test_no_test_post_is_an_error():
    with pytest.raises(InputError, match="no test post"):
        rank(THREE, TEST.clear(), NOTHING)
