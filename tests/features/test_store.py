"""The feature store: who is in it, how features are scaled, what is refused."""

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.errors import InputError
from pipeline.features.store import (
    Features,
    Scaling,
    StoreConfig,
    build_store,
    clean,
    feature_names,
    read_scalings,
    read_store,
)
from pipeline.files import write_parquet

PHOTOS = pl.Series(["c", "a", "b", "a"])
IMAGE = {"a": [1.0, 5.0], "b": [3.0, 5.0], "c": [7.0, 6.0], "d": [99.0, 99.0]}
OBJECTS = {"a": [0.9, 0.04], "b": [0.0, 0.0], "c": [0.05, 0.5]}


def frame(vectors: dict[str, list[float]]) -> pl.DataFrame:
    width = len(next(iter(vectors.values())))
    dtype = pl.Array(pl.Float32, width)
    return pl.DataFrame({"photo": list(vectors), "vector": pl.Series(list(vectors.values()), dtype=dtype)})


def stored(tmp_path, scaling, training=("a", "b"), threshold=0.05, **features):
    config = StoreConfig(scaling=scaling, object_threshold=threshold)
    frames = {name: frame(vectors) for name, vectors in features.items()}
    write_parquet(build_store(frames, PHOTOS, pl.Series(training), config), tmp_path / "store.parquet")
    return read_store(tmp_path / "store.parquet")


def test_names_of_feature_sets():
    assert [feature_names(name) for name in ("none", "image", "objects", "image+objects")] == [
        (),
        ("image",),
        ("objects",),
        ("image", "objects"),
    ]


def test_the_recipes_photos_once_each_and_sorted(tmp_path):
    features = stored(tmp_path, "none", image=IMAGE)
    assert features.photos.to_list() == ["a", "b", "c"]
    assert features.matrices["image"].dtype == np.float32
    np.testing.assert_array_equal(features.matrices["image"], [[1, 5], [3, 5], [7, 6]])


def test_without_features_it_holds_photos_alone(tmp_path):
    features = stored(tmp_path, "standardise")
    assert features.photos.to_list() == ["a", "b", "c"]
    assert features.matrices == {}


def test_standardise_is_fitted_on_training_photos(tmp_path):
    # Column 1 of a and b: mean 2, deviation 1, over the root of 2 columns. Column 2 is constant there: only shifted.
    image = stored(tmp_path, "standardise", image=IMAGE).matrices["image"]
    np.testing.assert_allclose(image, np.array([[-1, 0], [1, 0], [5, 1]]) / np.sqrt(2), rtol=1e-6)


def test_a_photo_in_several_training_posts_counts_once(tmp_path):
    once = stored(tmp_path, "standardise", image=IMAGE)
    twice = stored(tmp_path, "standardise", training=("b", "a", "a", "a"), image=IMAGE)
    np.testing.assert_array_equal(once.matrices["image"], twice.matrices["image"])


def test_standardised_vectors_have_length_one_on_average(tmp_path):
    rng = np.random.default_rng(0)
    image = {name: rng.uniform(0, 9, 50).tolist() for name in "abc"}
    matrix = stored(tmp_path, "standardise", training=list("abc"), image=image).matrices["image"]
    assert (matrix**2).sum(axis=1).mean() == pytest.approx(1, rel=1e-5)


def test_l2_scales_each_photo_and_leaves_nothing_as_nothing(tmp_path):
    objects = stored(tmp_path, "l2", objects=OBJECTS).matrices["objects"]
    length = np.hypot(np.float32(0.05), 0.5)
    np.testing.assert_allclose(objects, [[1, 0], [0, 0], [0.05 / length, 0.5 / length]], rtol=1e-6)


def test_the_threshold_is_for_objects_alone_and_includes_itself(tmp_path):
    features = stored(tmp_path, "none", threshold=0.5, image=OBJECTS, objects=OBJECTS)
    np.testing.assert_array_equal(features.matrices["image"], np.float32([[0.9, 0.04], [0, 0], [0.05, 0.5]]))
    np.testing.assert_array_equal(features.matrices["objects"], np.float32([[0.9, 0], [0, 0], [0, 0.5]]))


@pytest.mark.parametrize("scaling", ["standardise", "l2", "none"])
def test_a_new_photo_can_be_scaled_as_those_of_the_store(tmp_path, scaling):
    features = stored(tmp_path, scaling, image=IMAGE, objects=OBJECTS)
    scalings = read_scalings(tmp_path / "store.parquet")
    for name, raw in (("image", IMAGE), ("objects", OBJECTS)):
        again = scalings[name].apply(np.float32([raw["c"]]))
        np.testing.assert_array_equal(again[0], features.matrices[name][2])


PROBABILITIES = arrays(np.float32, (4, 5), elements=st.floats(0, 1, width=32))


@given(PROBABILITIES, PROBABILITIES, st.sampled_from(["standardise", "none"]), st.sampled_from([0.0, 0.05, 0.5]))
def test_what_was_scaled_comes_back_but_for_rounding(fitted, matrix, method, threshold):
    scaling = Scaling.fit(fitted, method, threshold)
    found, expected = scaling.invert(scaling.apply(matrix)), clean(matrix, threshold)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    if threshold:
        np.testing.assert_array_equal(found == 0, expected == 0)


@given(PROBABILITIES)
def test_of_what_was_scaled_to_length_one_the_order_comes_back(matrix):
    scaling = Scaling.fit(matrix, "l2", 0.05)
    found, expected = scaling.invert(scaling.apply(matrix)), clean(matrix, 0.05)
    np.testing.assert_array_equal(found == 0, expected == 0)
    sorted_as_before = np.take_along_axis(found, expected.argsort(axis=1), axis=1)
    assert (np.diff(sorted_as_before, axis=1) >= 0).all()


def test_zero_comes_back_as_zero_without_a_threshold_too():
    # The second column's 0 is far from its mean, and float32 has no number for what it is scaled to.
    matrix = np.float32([[0.7, 0.0], [0.1, 0.7], [0.3, 0.9]])
    scaling = Scaling.fit(matrix, "standardise", 0.0)
    assert (scaling.invert(scaling.apply(matrix)) == 0).tolist() == [[False, True], [False, False], [False, False]]


def test_the_store_knows_what_photos_had_before(tmp_path):
    features = stored(tmp_path, "standardise", image=IMAGE, objects=OBJECTS)
    np.testing.assert_allclose(features.unscaled("objects", pl.Series(["c", "a"])), [[0.05, 0.5], [0.9, 0]], rtol=1e-6)
    np.testing.assert_allclose(features.unscaled("image", pl.Series(["b"])), [[3, 5]], rtol=1e-6)
    bare = Features(features.photos, features.matrices)
    np.testing.assert_array_equal(bare.unscaled("image", features.photos), features.matrices["image"])


def test_a_source_without_photos_has_no_features_and_says_so():
    empty = pl.DataFrame(schema={"photo": pl.String, "vector": pl.Array(pl.Float32, 80)})
    config = StoreConfig(scaling="none", object_threshold=0.0)
    with pytest.raises(InputError, match=r"no objects features, because the source has no photos.*`dvc repro report`"):
        build_store({"objects": empty}, pl.Series(["a"]), pl.Series(["a"]), config)


def test_a_photo_without_features_is_named(tmp_path):
    with pytest.raises(InputError, match=r"Photo 'b' has no objects features \(1 such"):
        stored(tmp_path, "none", objects={"a": [1.0], "c": [1.0]})


def test_rows_of_photos_and_a_photo_that_is_not_stored(tmp_path):
    features = stored(tmp_path, "none", image=IMAGE)
    assert features.rows(pl.Series(["c", "a", "c"])).tolist() == [2, 0, 2]
    with pytest.raises(InputError, match=re.escape("Photo 'x' is not in the feature store")):
        features.rows(pl.Series(["a", "x"]))


def test_equal_stores_have_equal_bytes(tmp_path):
    for scaling in ("first", "second"):
        stored(tmp_path / scaling, "standardise", image=IMAGE, objects=OBJECTS)
    first, second = ((tmp_path / name / "store.parquet").read_bytes() for name in ("first", "second"))
    assert first == second
