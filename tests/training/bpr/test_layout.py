"""The tables of models in training: what stands side by side, their shapes, and the way back to a model's arrays."""

import numpy as np
import polars as pl
import pytest
import torch

from pipeline.features.store import Features
from pipeline.models.factorisation import Contexts, FactorisationConfig
from pipeline.training.bpr.layout import Layout

NAMES = {"user": ["u0", "u1"], "tag": list("abcde"), "photo": ["p0", "p1", "p2"]}
WIDTHS = {"a+b": 2, "clip": 3, "features": 1}
"""Names of extractors are anything that users call them, also with a plus, or as training calls what is joined."""
FACTORS = 4


def features(extractors: list[str]) -> Features:
    return Features(
        pl.Series(NAMES["photo"]),
        {name: np.full((3, WIDTHS[name]), number, np.float32) for number, name in enumerate(extractors)},
    )


def layout(kind: str, extractors: list[str]) -> Layout:
    config = FactorisationConfig(kind=kind, features="any")
    return Layout.of(Contexts.of(config, extractors, FACTORS), NAMES, features(extractors))


def test_features_that_meet_the_same_columns_share_a_table():
    found = layout("fm", ["a+b", "clip", "features"])
    assert found.shapes == {"user": (2, 4), "features": (6, 4), "tag": (5, 4), "bias": (5, 1)}
    (parts,) = found.inputs(features(["a+b", "clip", "features"])).values()
    assert np.concatenate(parts, axis=1).tolist() == [[0, 0, 1, 1, 1, 2]] * 3


def test_features_with_columns_of_their_own_have_a_table_each():
    found = layout("pitf", ["clip", "a+b"])
    assert found.shapes == {"user": (2, 4), "clip": (3, 4), "a+b": (2, 4), "tag": (5, 12), "bias": (5, 1)}
    inputs = found.inputs(features(["clip", "a+b"]))
    assert {name: [part.shape for part in parts] for name, parts in inputs.items()} == {
        "clip": [(3, 3)],
        "a+b": [(3, 2)],
    }


def test_without_features_photos_have_a_table():
    assert layout("fm", []).shapes == {"user": (2, 4), "photo": (3, 4), "tag": (5, 4), "bias": (5, 1)}
    assert layout("pitf", []).shapes == {"user": (2, 4), "photo": (3, 4), "tag": (5, 8)}


@pytest.mark.parametrize("kind", ["fm", "pitf"])
@pytest.mark.parametrize("extractors", [[], ["clip"], ["features", "a+b"], ["a+b", "clip", "features"]])
def test_a_model_gets_an_array_for_each_extractor(kind, extractors):
    found = layout(kind, extractors)
    arrays = found.split({name: torch.ones(shape).cumsum(0) for name, shape in found.shapes.items()})
    expected = {name: (WIDTHS[name], FACTORS) for name in extractors} or {"photo": (3, FACTORS)}
    assert {name: array.shape for name, array in arrays.items() if name not in ("user", "tag", "bias")} == expected
    assert all(array.flags.c_contiguous for array in arrays.values())
    # The rows of each table are numbered from 1, and extractors that share one have consecutive rows of it.
    first = 1
    for name in extractors:
        assert arrays[name][:, 0].tolist() == list(range(first, first + WIDTHS[name]))
        first += WIDTHS[name] if kind == "fm" else 0
