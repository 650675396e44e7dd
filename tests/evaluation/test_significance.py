"""P-values and their correction, against textbook numbers."""

import numpy as np
import pytest

from pipeline.evaluation.significance import holm, two_sided


@pytest.mark.parametrize(("difference", "deviation", "p"), [(1.96, 1, 0.05), (-0.5152, 0.2, 0.01), (0, 1, 1)])
def test_two_sided_p_values_are_those_of_the_normal_distribution(difference, deviation, p):
    assert two_sided(np.array([difference]), np.array([deviation])) == pytest.approx([p], abs=1e-4)


def test_a_difference_without_deviation_is_certain():
    assert two_sided(np.array([0.1, 0.0]), np.zeros(2)).tolist() == [0, 1]


def test_holm_multiplies_the_smallest_most():
    # 0.01 · 4, 0.02 · 3, 0.03 · 2 (at least as much as before), 0.5 · 1.
    assert holm(np.array([0.03, 0.01, 0.5, 0.02])).tolist() == pytest.approx([0.06, 0.04, 0.5, 0.06])


def test_holm_takes_each_column_by_itself_and_ends_at_one():
    assert holm(np.array([[0.01, 0.9], [0.03, 0.8]])) == pytest.approx(np.array([[0.02, 1], [0.03, 1]]))


def test_one_comparison_needs_no_correction():
    assert holm(np.array([0.03])).tolist() == [0.03]
    assert holm(np.empty((0, 3))).shape == (0, 3)
