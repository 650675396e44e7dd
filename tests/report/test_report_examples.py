"""The choice of examples, and what is shown of them."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from pipeline.report.examples import build_examples, choose_examples, detected, mark_hits, own_tags
from pipeline.report.inputs import Detections


def choose(test, recommendations, count, seed=0):
    return choose_examples(test, recommendations, count, np.random.default_rng(seed))


def test_examples_are_of_different_users_and_depend_on_the_seed_only(inputs):
    chosen = choose(inputs.test, inputs.recommendations, 5)
    assert chosen.columns == ["user", "photo"]
    assert chosen["user"].n_unique() == 5
    assert chosen.equals(choose(inputs.test.reverse(), inputs.recommendations, 5))
    assert not chosen.equals(choose(inputs.test, inputs.recommendations, 5, seed=1))


def test_there_are_no_more_examples_than_users(inputs):
    assert choose(inputs.test, inputs.recommendations, 1000).height == inputs.test["user"].n_unique()
    assert choose(inputs.test, inputs.recommendations, 0).is_empty()


def test_only_posts_that_all_models_know_are_chosen(inputs):
    one = inputs.test.row(7)[:2]
    known = inputs.recommendations | {
        "fm": inputs.recommendations["fm"].filter(pl.concat_list("user", "photo") == list(one))
    }
    assert choose(inputs.test, known, 5).rows() == [one]


def test_hits_are_the_true_tags_among_the_first_suggestions():
    suggested = ["a", "y", "b", "c", "d", "x"]
    assert mark_hits(suggested, ["x", "y"]) == [("a", False), ("y", True), ("b", False), ("c", False), ("d", False)]


def test_own_tags_are_counted_in_training_posts():
    train = pl.DataFrame({"user": ["u", "u", "v"], "photo": ["a", "b", "c"], "tags": [["x", "z"], ["x", "y"], ["z"]]})
    assert own_tags(train, "u") == [("x", 2), ("y", 1), ("z", 1)]
    assert own_tags(train, "nobody") == []


PLACES = Detections(("sky", "sea", "road"), pl.DataFrame({"photo": ["p"], "vector": [[0.04, 0.9, 0.05]]}))


def test_objects_below_the_threshold_are_not_shown():
    assert detected(PLACES, "p", 0.05) == [("sea", 0.9), ("road", 0.05)]


def test_each_detector_has_its_objects(inputs):
    photo = inputs.examples["photo"][0]
    places = replace(PLACES, vectors=pl.DataFrame({"photo": [photo], "vector": [[0.04, 0.9, 0.05]]}))
    both = replace(inputs, detections={**inputs.detections, "places": places}, examples=inputs.examples.head(1))
    (example,) = build_examples(both)
    assert list(example.objects) == ["objects", "places"]
    assert example.objects["places"] == [("sea", 0.9), ("road", 0.05)]
    (example,) = build_examples(replace(both, detections={}))
    assert example.objects == {}


def test_an_example_holds_all_models_in_order(inputs):
    example = build_examples(inputs)[0]
    assert [model for model, _ in example.suggestions] == list(inputs.models)
    assert all(len(tags) == 5 for _, tags in example.suggestions)


def test_an_example_that_is_no_test_post_is_refused(inputs):
    unknown = pl.DataFrame({"user": ["nobody"], "photo": ["nothing"]})
    with pytest.raises(pl.exceptions.NoRowsReturnedError):
        build_examples(replace(inputs, examples=unknown))
