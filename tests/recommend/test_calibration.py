"""Calibration, against drawn hits whose probabilities are known."""

import numpy as np
import pytest

from pipeline.errors import ArtifactError
from pipeline.files.texts import write_json
from pipeline.recommend.calibration import (
    Calibrated,
    Calibration,
    distances,
    expected_calibration_error,
    reliability,
    sigmoid,
)


def drawn(
    posts: int, offset: float, distance: float, score: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores whose scale differs from post to post, their best five tags, and hits drawn from a sigmoid."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(posts, 30)) * rng.uniform(0.1, 3, (posts, 1)) + rng.normal(size=(posts, 1))
    top = np.argsort(-scores, axis=1)[:, :5]
    odds = offset + distance * distances(scores, top) + score * np.take_along_axis(scores, top, axis=1)
    return scores, top, rng.random(top.shape) < sigmoid(odds)


@pytest.mark.parametrize(("distance", "score"), [(1.5, 0.5), (1.5, 0), (0, 1)])
def test_the_sigmoid_that_drew_the_hits_is_found(distance, score):
    found = Calibration.fit(*drawn(20_000, -3, distance, score))
    assert found.offset == pytest.approx(-3, abs=0.15)
    assert found.distance == pytest.approx(distance, abs=0.1)
    assert found.score == pytest.approx(score, abs=0.1)


def test_probabilities_of_other_posts_are_calibrated_and_fall_with_the_rank():
    found = Calibration.fit(*drawn(2000, -3, 1, 0.5))
    scores, top, hits = drawn(2000, -3, 1, 0.5, seed=1)
    probabilities = found.probabilities(scores, top)
    assert (np.diff(probabilities, axis=1) <= 0).all()
    assert expected_calibration_error(reliability(probabilities, hits)) < 0.02
    assert expected_calibration_error(reliability(probabilities**2, hits)) > 0.08


@pytest.mark.parametrize("right", [True, False])
def test_hits_that_are_all_alike_leave_some_doubt(right):
    scores, top, hits = drawn(40, 0, 1, 1)
    probabilities = Calibration.fit(scores, top, np.full_like(hits, right)).probabilities(scores, top)
    assert (probabilities > 0).all()
    assert (probabilities < 1).all()
    assert abs(probabilities.mean() - right) < 0.05


def test_a_number_that_would_lower_the_odds_is_left_out():
    found = Calibration.fit(*drawn(4000, 0, 1, -0.5))
    assert found.score == 0
    assert found.distance > 0
    misled = drawn(4000, 0, -0.5, -0.5)
    found = Calibration.fit(*misled)
    assert (found.distance, found.score) == (0, 0)
    np.testing.assert_allclose(found.probabilities(*misled[:2]), misled[2].mean(), atol=0.01)


def test_inputs_that_go_together_have_one_answer():
    # All posts have the same scores: their distances say nothing more.
    rng = np.random.default_rng(0)
    scores = np.tile(np.arange(5.0) / 2**0.5, (4000, 1))
    top = np.tile([4, 3], (4000, 1))
    found = Calibration.fit(scores, top, rng.random(top.shape) < [0.7, 0.4])
    np.testing.assert_allclose(found.probabilities(scores[:1], top[:1]), [[0.7, 0.4]], atol=0.05)


def test_equal_scores_are_no_distance_apart():
    scores = np.full((2, 4), 7.0)
    np.testing.assert_array_equal(distances(scores, np.array([[0, 3], [1, 2]])), np.zeros((2, 2)))


def test_it_comes_back_from_json_as_it_was():
    found = Calibration.fit(*drawn(50, -1, 1, 1))
    assert Calibration.model_validate_json(found.model_dump_json()) == found


def test_the_error_is_the_mean_gap_of_equally_large_groups():
    # Twenty suggestions in ten groups of two: gaps of 0.1 in the first, 0.4 in the last, none elsewhere.
    probabilities = np.linspace(0.1, 0.9, 20).reshape(4, 5)
    groups = probabilities.ravel().reshape(10, 2).mean(axis=1)
    hits = np.repeat(groups, 2)
    hits[:2] += 0.1
    hits[-2:] -= 0.4
    table = reliability(probabilities, hits.reshape(4, 5))
    assert table["suggestions"].to_list() == [2] * 10
    np.testing.assert_allclose(table["predicted"], groups)
    assert expected_calibration_error(table) == pytest.approx(0.05)


def test_few_suggestions_make_fewer_groups():
    assert reliability(np.array([0.2, 0.4]), np.array([True, False])).height == 2


def test_what_was_calibrated_is_read_from_its_file(tmp_path):
    calibrated = Calibrated(model="fm", calibration=Calibration(offset=-3, distance=1.5, score=0.5), given=0.25)
    write_json(calibrated.model_dump(), tmp_path / "calibration.json")
    assert Calibrated.read(tmp_path / "calibration.json") == calibrated
    write_json(None, tmp_path / "calibration.json")
    assert Calibrated.read(tmp_path / "calibration.json") is None


def test_a_file_without_a_calibration_is_refused(tmp_path):
    write_json({"model": "fm"}, tmp_path / "calibration.json")
    with pytest.raises(ArtifactError, match=r"calibration\.json holds no calibration"):
        Calibrated.read(tmp_path / "calibration.json")
