"""The order of tags by their factors, by a radix sort of the bits of numbers."""

import numpy as np
import torch

from pipeline.training.bpr.loops.quadruples import order


def test_tags_are_ordered_by_each_factor_highest_first_and_equal_ones_as_they_stand():
    rng = np.random.default_rng(0)
    columns = rng.choice(np.float32([-np.inf, -1e30, -2, -1e-40, 0, 1e-40, 0.5, 1, 3e7, np.inf]), (3, 2, 5000))
    columns[0] = rng.standard_normal((2, 5000), np.float32)
    found = order(torch.from_numpy(columns))
    assert found.dtype == torch.int32
    np.testing.assert_array_equal(found, np.argsort(-columns, axis=-1, stable=True))


def test_one_column_of_a_wider_table_is_ordered_as_it_is_by_itself():
    table = torch.tensor([[3.0, 1.0], [-1.0, 2.0], [2.0, -5.0]])
    assert order(table.T[:, None]).tolist() == [[[0, 2, 1]], [[1, 0, 2]]]
