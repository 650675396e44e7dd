"""Grids: the edges of the values tried, and the next values beyond them."""

import pytest

from pipeline.models.factorisation import FactorisationConfig
from pipeline.models.grid import combinations, edges
from pipeline.models.mixed_popular import MixedPopular
from pipeline.models.neighbours import Neighbours

PERSONAL, NEIGHBOURS = MixedPopular.Config, Neighbours.Config


def test_combinations_are_all_of_them_the_last_setting_first():
    listed = combinations({"a": [1, 2], "b": ["x", "y"]})
    assert listed == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}]
    assert combinations({}) == [{}]


@pytest.mark.parametrize(
    ("config", "name", "values", "chosen", "next_value"),
    [
        (FactorisationConfig, "l2", [1e-4, 1e-3, 3e-3], 3e-3, 9e-3),
        (FactorisationConfig, "l2", [3e-3, 1e-4, 1e-3], 1e-4, 1e-5),
        (FactorisationConfig, "l2", [1e-4, 1e-3, 3e-3], 1e-3, None),
        (FactorisationConfig, "l2", [0.0, 1e-4], 1e-4, 2e-4),
        (FactorisationConfig, "l2", [0.0, 1e-4], 0.0, None),
        (FactorisationConfig, "learning_rate", [0.1, 0.1], 0.1, None),
        (FactorisationConfig, "decay", [0.8, 0.9], 0.9, 1.0),
        (FactorisationConfig, "decay", [0.9, 1.0], 1.0, None),
        (FactorisationConfig, "optimizer", ["sgd", "adagrad"], "sgd", None),
        (FactorisationConfig, "epochs", [100, 300], 300, 900),
        (PERSONAL, "personal", [0.2, 0.5, 0.8], 0.8, 1.0),
        (NEIGHBOURS, "neighbours", [5, 20, 50], 50, 125),
        (NEIGHBOURS, "neighbours", [2, 20], 2, 1),
        (NEIGHBOURS, "neighbours", [1, 20], 1, None),
    ],
)
def test_the_next_value_beyond_an_edge_is_one_that_the_setting_allows(config, name, values, chosen, next_value):
    found = edges(config, {name: values}, {name: chosen})
    assert found == ({} if next_value is None else {name: next_value})
    assert all(isinstance(value, type(values[0])) for value in found.values())
