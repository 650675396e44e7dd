"""Each metric against values worked out by hand, and against its definition written out post by post."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.metrics.registry import METRICS

HITS = np.array([[True, False, True], [False, True, False]])
SIZES = np.array([2, 4])
"""Hit, miss, hit for a post of two tags; miss, hit, miss for a post of four."""

SECOND, THIRD = 1 / math.log2(3), 1 / 2
"""The discounts of the second and the third rank; that of the first is 1."""

BY_HAND = {
    "precision": [(1 + 0) / 2, (1 / 2 + 1 / 2) / 2, (2 / 3 + 1 / 3) / 2],
    "recall": [(1 / 2 + 0) / 2, (1 / 2 + 1 / 4) / 2, (1 + 1 / 4) / 2],
    # The harmonic means of the two rows above.
    "f1": [2 * 0.5 * 0.25 / 0.75, 2 * 0.5 * 0.375 / 0.875, 2 * 0.5 * 0.625 / 1.125],
    # Two tags: two ranks at most can be hits. Four tags: all three.
    "ndcg": [
        (1 + 0) / 2,
        (1 / (1 + SECOND) + SECOND / (1 + SECOND)) / 2,
        ((1 + THIRD) / (1 + SECOND) + SECOND / (1 + SECOND + THIRD)) / 2,
    ],
    # Precision at the hits: 1 and 2/3 of two possible ones; 1/2 of one, two and three possible ones.
    "map": [(1 + 0) / 2, (1 / 2 + 1 / 2 / 2) / 2, ((1 + 2 / 3) / 2 + 1 / 2 / 3) / 2],
    "hit_rate": [1 / 2, 1, 1],
}


def written_out(name: str, hits: list[bool], size: int, k: int) -> float:
    """One post's metric at K by its definition, in plain Python."""
    first = hits[:k]
    match name:
        case "precision":
            return sum(first) / k
        case "recall":
            return sum(first) / size
        case "ndcg":
            gain = sum(1 / math.log2(rank + 1) for rank, hit in enumerate(first, start=1) if hit)
            return gain / sum(1 / math.log2(rank + 1) for rank in range(1, min(size, k) + 1))
        case "map":
            precisions = [sum(first[:rank]) / rank for rank, hit in enumerate(first, start=1) if hit]
            return sum(precisions) / min(size, k)
        case "hit_rate":
            return float(any(first))


@st.composite
def rankings(draw):
    """Hits (posts, K) and |T_ui|: no post has more hits than tags."""
    depth = draw(st.integers(1, 10))
    rows = draw(st.lists(st.lists(st.booleans(), min_size=depth, max_size=depth), min_size=1, max_size=8))
    sizes = [max(1, sum(row)) + draw(st.integers(0, 12)) for row in rows]
    return np.array(rows), np.array(sizes)


def test_every_metric_is_worked_out_here():
    assert set(BY_HAND) == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_figures_worked_out_by_hand(name):
    assert METRICS[name].at_each_k(HITS, SIZES).tolist() == pytest.approx(BY_HAND[name])


@pytest.mark.parametrize("name", [name for name in METRICS if name != "f1"])
@given(rankings())
def test_the_mean_of_the_definition_written_out(name, ranking):
    hits, sizes = ranking
    for k, found in enumerate(METRICS[name].at_each_k(hits, sizes), start=1):
        each = [written_out(name, row, size, k) for row, size in zip(hits.tolist(), sizes.tolist(), strict=True)]
        assert found == pytest.approx(sum(each) / len(each))


@given(rankings())
def test_f1_is_the_harmonic_mean_of_the_averages(ranking):
    f1, precision, recall = (METRICS[name].at_each_k(*ranking) for name in ("f1", "precision", "recall"))
    for f, p, r in zip(f1, precision, recall, strict=True):
        assert f == pytest.approx(2 / (1 / p + 1 / r) if p else 0)


@pytest.mark.parametrize("name", METRICS)
@given(rankings())
def test_between_nothing_right_and_all_right(name, ranking):
    hits, sizes = ranking
    assert METRICS[name].at_each_k(hits & False, sizes).tolist() == [0] * hits.shape[1]
    found = METRICS[name].at_each_k(hits, sizes)
    best = METRICS[name].at_each_k(np.arange(hits.shape[1]) < sizes[:, None], sizes)
    assert np.all((found >= 0) & (found <= best + 1e-12))
    assert np.all(best <= 1 + 1e-12)


@pytest.mark.parametrize("name", ["ndcg", "map", "hit_rate"])
def test_all_that_can_be_right_is_one_whatever_k(name):
    hits, sizes = np.arange(5) < np.array([[2], [9]]), np.array([2, 9])
    np.testing.assert_allclose(METRICS[name].at_each_k(hits, sizes), 1)


@pytest.mark.parametrize("name", ["ndcg", "map"])
def test_an_earlier_hit_counts_more(name):
    ranked = np.array([[[1, 0, 0]], [[0, 1, 0]], [[0, 0, 1]]], bool)  # (rankings, posts, K)
    first, second, third = METRICS[name].at_each_k(ranked, np.array([2]))[:, -1]
    assert first > second > third > 0


@pytest.mark.parametrize("name", METRICS)
@given(rankings())
def test_several_rankings_of_the_same_posts_at_once(name, ranking):
    hits, sizes = ranking
    both = METRICS[name].at_each_k(np.stack([hits, ~hits & (sizes > hits.shape[1])[:, None]]), sizes)
    np.testing.assert_array_equal(both[0], METRICS[name].at_each_k(hits, sizes))


def test_a_metric_says_what_it_is():
    labels = [metric.label for metric in METRICS.values()]
    assert len(set(labels)) == len(METRICS)
    assert all(metric.source and metric.__doc__ for metric in METRICS.values())


@pytest.mark.parametrize("name", METRICS)
def test_a_measure_is_a_metric_at_one_k(name):
    measure = Measure.parse(f"{name}@2")
    assert str(measure) == f"{name}@2"
    assert measure.label == f"{METRICS[name].label}@2"
    assert measure.of(HITS, SIZES) == pytest.approx(BY_HAND[name][1])
    np.testing.assert_allclose(measure.of(np.stack([HITS, HITS & False]), SIZES), [BY_HAND[name][1], 0])


@pytest.mark.parametrize("text", ["f1", "f1@0", "f1@11", "f1@5.5", "f1@-1", "@5", "F1@5", "f2@5", ""])
def test_what_is_no_measure_is_refused_with_the_choices(text):
    with pytest.raises(ValueError, match=r"one of f1, precision, .*, such as f1@5\."):
        Measure.parse(text)


def test_a_metric_that_is_nearly_named_is_proposed():
    with pytest.raises(ValueError, match=r"Did you mean hit_rate\?"):
        Measure.parse("hitrate@5")
