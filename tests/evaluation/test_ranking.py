"""Hits of suggestions, and how they become curves and flat names."""

import numpy as np
import polars as pl
import pytest

from pipeline.errors import ArtifactError, InputError
from pipeline.evaluation.curves import curve, mean_curve, metrics, metrics_over_seeds
from pipeline.evaluation.metrics.registry import METRICS
from pipeline.evaluation.ranking import find_hits, rank, recommend
from pipeline.features.store import Features
from pipeline.models.model import BIAS, Model

NOTHING = Features(pl.Series([], dtype=pl.String), {})


def frame(*tags: list[str]) -> pl.DataFrame:
    """Posts, or suggestions for them."""
    photos = [str(number) for number in range(len(tags))]
    return pl.DataFrame({"user": ["u"] * len(tags), "photo": photos, "tags": list(tags)})


TEST = frame(["a", "c"], ["b", "x", "y", "z"])
RANKING = find_hits(TEST, frame(["a", "b", "c"], ["c", "b", "a"]))
"""Hit, miss, hit of two tags; miss, hit, miss of four."""


def test_hits_and_sizes_of_each_post():
    assert RANKING.hits.shape == (2, 10)
    assert np.argwhere(RANKING.hits).tolist() == [[0, 0], [0, 2], [1, 1]]
    assert RANKING.sizes.tolist() == [2, 4]


def test_hits_follow_the_test_posts():
    suggestions = frame(["a", "b", "c"], ["c", "b", "a"]).reverse()
    np.testing.assert_array_equal(find_hits(TEST, suggestions).hits, RANKING.hits)


def test_no_more_than_ten_suggestions_count():
    tags = [f"{number:02}" for number in range(12)]
    assert find_hits(frame(["11"]), frame(tags)).hits.tolist() == [[False] * 10]


@pytest.mark.parametrize("suggestions", [frame(["a"]), pl.concat([frame(["a"], ["b"])] * 2)])
def test_each_post_needs_its_suggestions_once(suggestions):
    with pytest.raises(ArtifactError, match="each test post exactly once"):
        find_hits(TEST, suggestions)


class Fixed(Model):
    """Gives every photo the same scores."""

    forms = None  # It is never read from a file.

    def __init__(self, tags, scores):
        super().__init__(None, {"tag": tags}, {"scores": np.float32(scores)})

    def parts(self, posts, features):  # noqa: ARG002
        return {BIAS: np.tile(self.tensors["scores"], (len(posts), 1))}


def test_recommendations_hold_what_there_is_best_first():
    found = recommend(Fixed(["a", "b", "c"], [1, 3, 2]), TEST, NOTHING)
    assert found.schema == {
        "user": pl.String,
        "photo": pl.String,
        "tags": pl.List(pl.String),
        "scores": pl.List(pl.Float32),
    }
    assert found.rows() == [("u", photo, ["b", "c", "a"], [3, 2, 1]) for photo in ("0", "1")]


def test_ten_recommendations_at_most():
    tags = [f"{number:02}" for number in range(12)]
    found = recommend(Fixed(tags, range(12)), TEST, NOTHING)
    assert found["tags"][0].to_list() == ["11", "10", "09", "08", "07", "06", "05", "04", "03", "02"]


def test_a_models_hits_are_those_of_its_recommendations():
    ranking = rank(Fixed(["a", "b", "c"], [1, 3, 2]), TEST, NOTHING)
    assert np.argwhere(ranking.hits).tolist() == [[0, 1], [0, 2], [1, 0]]


def test_no_test_post_is_an_error():
    with pytest.raises(InputError, match="no test post"):
        rank(Fixed(["a"], [1]), TEST.clear(), NOTHING)


def test_precision_divides_by_k_even_where_there_are_fewer_tags():
    table = curve(RANKING)
    assert table["precision"][9] == pytest.approx((2 / 10 + 1 / 10) / 2)
    assert table["recall"][9] == pytest.approx((1 + 1 / 4) / 2)


def test_a_curve_has_every_metric_at_every_k():
    table = curve(RANKING)
    assert table.columns == ["k", *METRICS]
    assert table["k"].to_list() == list(range(1, 11))


def test_no_hit_at_all_is_zero():
    assert set(metrics(find_hits(TEST, frame(["d"], ["d"]))).values()) == {0.0}


def test_metrics_have_flat_names():
    measured = metrics(RANKING)
    assert list(measured) == [f"{name}@{k}" for name in METRICS for k in range(1, 11)]
    assert measured["f1@1"] == pytest.approx(2 * 0.5 * 0.25 / 0.75)
    assert all(type(value) is float for value in measured.values())


def test_several_seeds_give_means_and_deviations():
    rankings = [RANKING, find_hits(TEST, frame(*[["b", "a", "c"]] * 2))]
    # Precision@1 is 1/2 · (1 + 0) and 1/2 · (0 + 1); recall@1 is 1/2 · (1/2 + 0) and 1/2 · (0 + 1/4).
    measured = metrics_over_seeds(rankings)
    assert measured["precision@1"] == 0.5
    assert measured["precision@1_deviation"] == 0
    assert measured["recall@1"] == pytest.approx((0.25 + 0.125) / 2)
    assert measured["recall@1_deviation"] == pytest.approx(0.125 / 2**0.5)
    table = mean_curve(rankings)
    assert table["k"].to_list() == list(range(1, 11))
    assert table["recall"][0] == pytest.approx((0.25 + 0.125) / 2)
    assert metrics_over_seeds(rankings[:1]) == metrics(rankings[0])
