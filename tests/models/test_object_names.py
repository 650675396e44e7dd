"""Names of detected objects as tags: which tags are names, and which order they come in."""

import numpy as np
import polars as pl
import pytest

from pipeline.errors import InputError
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.store import Features, StoreConfig, build_store, read_store
from pipeline.files.parquet import write_parquet
from pipeline.models.object_names import ObjectNames, ObjectNamesConfig, named_classes
from pipeline.models.ranking import top_tags

CONFIG = ObjectNamesConfig(kind="object-names", features="objects")
POSTS = pl.DataFrame(
    {
        "user": ["ann", "ann", "bob", "bob", "bob"],
        "photo": ["p", "q", "r", "p", "q"],
        "tags": [["dog", "sun"], ["sea", "sun"], ["sun"], ["sea"], ["cars", "dogs"]],
    }
)
DETECTED = {"p": {"dog": 0.9, "car": 0.3}, "q": {"car": 0.06, "cat": 0.8}, "r": {}, "new": {"dog": 0.04, "car": 0.05}}


def frame() -> pl.DataFrame:
    vectors = [[objects.get(name, 0.0) for name in COCO_CLASSES] for objects in DETECTED.values()]
    return pl.DataFrame({"photo": list(DETECTED), "vector": pl.Series(vectors, dtype=pl.Array(pl.Float32, 80))})


def detected(**records: dict) -> Features:
    """Detections by the detector "objects", or by extractors with other records."""
    records = records or {"objects": {"classes": list(COCO_CLASSES)}}
    vectors = frame()["vector"].to_numpy()
    return Features(frame()["photo"], dict.fromkeys(records, vectors), records=records)


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("dog", "dog"),
        ("Dogs", "dog"),
        ("buses", "bus"),
        ("sports ball", "sports ball"),
        ("sportsballs", "sports ball"),
        ("Sports-Ball", "sports ball"),
        ("scissors", "scissors"),
        ("TV", "tv"),
        ("hotdog", "hot dog"),
        ("doggy", None),
        ("ball", None),
        ("海", None),
        ("!", None),
    ],
)
def test_which_class_a_tag_names(tag, name):
    assert named_classes([tag], COCO_CLASSES).tolist() == [-1 if name is None else COCO_CLASSES.index(name)]


@pytest.mark.parametrize("scaling", ["standardise", "l2", "none"])
def test_objects_by_probability_then_tags_by_popularity(tmp_path, scaling):
    config = StoreConfig(scaling=scaling, threshold=0.05)
    records = {"objects": {"classes": list(COCO_CLASSES)}}
    store = build_store({"objects": frame()}, records, pl.Series(list(DETECTED)), pl.Series(["p", "q", "r"]), config)
    write_parquet(store, tmp_path / "store.parquet")
    features = read_store(tmp_path / "store.parquet")
    model = ObjectNames.fit(CONFIG, POSTS, features)
    asked = pl.DataFrame({"user": ["ann"] * 4, "photo": ["p", "q", "r", "new"]})
    scores = model.scores(asked, features)
    assert [[model.tags[tag] for tag in row] for row in top_tags(scores, 5)] == [
        ["dog", "dogs", "cars", "sun", "sea"],
        ["cars", "sun", "sea", "dog", "dogs"],  # The cat is not a tag.
        ["sun", "sea", "cars", "dog", "dogs"],
        ["cars", "sun", "sea", "dog", "dogs"],  # The dog is below the threshold, the car on it.
    ]
    np.testing.assert_allclose(scores[0, :3], [0.3, 0.9, 0.9], atol=1e-6)
    assert (scores[2] < 0).all()


def test_features_that_tell_no_scaling_are_probabilities():
    features = detected()
    scores = ObjectNames.fit(CONFIG, POSTS, features).scores(pl.DataFrame({"user": ["eve"], "photo": ["p"]}), features)
    np.testing.assert_array_equal(scores[0, :3], np.float32([0.3, 0.9, 0.9]))


def test_without_a_tag_that_names_a_class_it_is_popularity():
    posts = pl.DataFrame({"user": ["ann", "bob"], "photo": ["p", "q"], "tags": [["sky"], ["sea", "sky"]]})
    features = detected()
    scores = ObjectNames.fit(CONFIG, posts, features).scores(posts, features)
    np.testing.assert_allclose(scores, [[1 / 3 - 1, 2 / 3 - 1]] * 2)


def test_classes_are_those_of_the_one_detector_whatever_it_is_called():
    classes = [f"nothing {number}" for number in range(80)]
    classes[COCO_CLASSES.index("dog")] = "sun"
    features = detected(look={}, places={"classes": classes})
    scores = ObjectNames.fit(CONFIG, POSTS, features).scores(POSTS[:1], features)
    assert scores[0].argmax() == ["cars", "dog", "dogs", "sea", "sun"].index("sun")
    assert scores[0].max() == np.float32(0.9)


@pytest.mark.parametrize(
    ("records", "found"),
    [({"look": {}}, "none"), ({"a": {"classes": ["dog"]}, "b": {"classes": ["cat"]}}, "a, b")],
)
def test_without_one_detector_there_are_no_names(records, found):
    with pytest.raises(InputError, match=f"among the features there is {found}"):
        ObjectNames.fit(CONFIG, POSTS, detected(**records))
