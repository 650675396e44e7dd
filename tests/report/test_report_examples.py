"""The choice of examples, and what is shown of them."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from pipeline.data.schema import DATED_POST, PHOTO, TAGGED_POST, TAGS, USER
from pipeline.evaluation.ranking import recommend
from pipeline.features.store import Features
from pipeline.models.recency import Recency, RecencyConfig
from pipeline.models.user_popular import UserPopular, UserPopularConfig
from pipeline.report.examples import build_examples, choose_examples, detected, explain, mark_hits, own_tags
from pipeline.report.findings import featured
from pipeline.report.inputs import Detections


def choose(test, recommendations, count, seed=0):
    return choose_examples(test, recommendations, count, np.random.default_rng(seed))


def test_examples_are_of_different_users_and_depend_on_the_seed_only(inputs):
    chosen = choose(inputs.test, inputs.recommendations, 5)
    assert chosen.columns == inputs.test.drop("tags").columns
    assert chosen["user"].n_unique() == 5
    assert chosen.equals(choose(inputs.test.reverse(), inputs.recommendations, 5))
    assert not chosen.equals(choose(inputs.test, inputs.recommendations, 5, seed=1))


def test_there_are_no_more_examples_than_users(inputs):
    assert choose(inputs.test, inputs.recommendations, 1000).height == inputs.test["user"].n_unique()
    assert choose(inputs.test, inputs.recommendations, 0).is_empty()


def test_only_posts_that_all_models_know_are_chosen(inputs):
    one = inputs.test.drop("tags").row(7)
    known = inputs.recommendations | {
        "fm": inputs.recommendations["fm"].filter(pl.concat_list("user", "photo") == list(one[:2]))
    }
    assert choose(inputs.test, known, 5).rows() == [one]


def test_hits_are_the_true_tags_among_the_first_suggestions():
    suggested = ["a", "y", "b", "c", "d", "x"]
    marked = mark_hits(suggested, ["x", "y"], {})
    assert [(each.tag, each.hit) for each in marked] == [("a", 0), ("y", 1), ("b", 0), ("c", 0), ("d", 0)]


def test_hits_alone_have_reasons():
    marked = mark_hits(["a", "b", "c"], ["b", "c"], {"a": "habit", "b": "look"})
    assert [each.reason for each in marked] == ["", "look", ""]


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


def test_an_example_holds_all_models_once_the_featured_ones_first(inputs):
    example = build_examples(inputs)[0]
    first = [model for model, _, _ in example.featured]
    assert first == list(featured(inputs.models, inputs.metrics, inputs.feature_sets))
    others = [model for model, _ in example.others]
    assert others == [model for model in inputs.models if model not in first]
    tags = [tags for *_, tags in example.featured + example.others]
    assert all(len(each) == 5 for each in tags)


def test_each_example_has_the_reasons_of_its_own(inputs):
    for example in build_examples(inputs):
        reasons = {each.reason for _, _, tags in example.featured for each in tags if each.hit}
        assert reasons <= {f"{example.user} & <i>habit</i>"}
        assert not [each for _, tags in example.others for each in tags if each.reason]


def test_an_example_that_is_no_test_post_is_refused(inputs):
    unknown = pl.DataFrame({"user": ["nobody"], "photo": ["nothing"]})
    with pytest.raises(pl.exceptions.NoRowsReturnedError):
        build_examples(replace(inputs, examples=unknown))


def test_reasons_are_of_the_examples_own_user():
    posts = [("ann", "1", ["sea"]), ("ann", "2", ["sea", "sky"]), ("ann", "3", ["moped"]), ("bob", "4", ["sky"])]
    train = pl.DataFrame(posts, schema=list(TAGGED_POST), orient="row")
    examples = pl.DataFrame({USER: ["ann", "bob"], PHOTO: ["5", "6"]})
    features = Features(pl.Series(["5", "6"]), {})
    model = UserPopular.fit(UserPopularConfig(kind="user-popular", features="none"), train, features)
    ann, bob = explain(model, features, train, examples)
    assert list(ann) == ["sea", "sky", "moped"]
    assert ann["sea"] == "you use it on 67 % of your photos; on 50 % of all photos"
    assert bob["sky"].startswith("you use it on 100 % of your photos")


def test_the_suggestions_that_are_shown_are_explained_at_the_posts_own_time():
    minute = 60_000
    earlier = [("ann", f"{number}", [f"early {number}"], 0) for number in range(5)]
    often = [("ann", f"{number}", [f"late {number % 5}"], 1000 * minute + number) for number in range(5, 20)]
    train = pl.DataFrame(earlier + often, schema=list(DATED_POST), orient="row")
    test = pl.DataFrame([("ann", "new", ["early 1"], minute)], schema=list(DATED_POST), orient="row")
    features = Features(pl.Series([], dtype=pl.String), {})
    model = Recency.fit(RecencyConfig(kind="recency", features="none", fading=1.0, personal=1.0), train, features)
    shown = recommend(model, test, features)
    (words,) = explain(model, features, train, choose(test, {"recency": shown}, 1))
    assert list(words) == shown[TAGS][0].to_list()[:5] == [f"early {number}" for number in range(5)]
