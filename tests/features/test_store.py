"""The feature store: who is in it, how features are scaled, what is refused."""

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.errors import ArtifactError, InputError
from pipeline.features.scaling import Scaling
from pipeline.features.store import Features, StoreConfig, build_store, read_store
from pipeline.files.parquet import write_parquet

PHOTOS = pl.Series(["c", "a", "b", "a"])
IMAGE = {"a": [1.0, 5.0], "b": [3.0, 5.0], "c": [7.0, 6.0], "d": [99.0, 99.0]}
OBJECTS = {"a": [0.9, 0.04], "b": [0.0, 0.0], "c": [0.05, 0.5]}

RECORDS = {"image": {"name": "vgg16"}, "objects": {"name": "yolov8n.pt", "classes": ["dog", "hot dog"]}}


def frame(vectors: dict[str, list[float]]) -> pl.DataFrame:
    width = len(next(iter(vectors.values())))
    dtype = pl.Array(pl.Float32, width)
    return pl.DataFrame({"photo": list(vectors), "vector": pl.Series(list(vectors.values()), dtype=dtype)})


def stored(tmp_path, scaling, training=("a", "b"), threshold=0.05, **features):
    config = StoreConfig(scaling=scaling, threshold=threshold)
    frames = {name: frame(vectors) for name, vectors in features.items()}
    records = {name: RECORDS[name] for name in features}
    write_parquet(build_store(frames, records, PHOTOS, pl.Series(training), config), tmp_path / "store.parquet")
    return read_store(tmp_path / "store.parquet")


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


def test_a_number_that_is_rare_in_training_does_not_drown_the_others():
    """P25: one of 3,000 training photos shows a class; F1@5 of test photos that show it fell from .529 to .187."""
    rng = np.random.default_rng(0)
    training = rng.uniform(0, 1, (3000, 80))
    training[:, 0] = 0
    training[7, 0] = 0.6
    scaling = Scaling.fit(training, "standardise", 0.05)
    showing = np.float32(rng.uniform(0, 1, (50, 80)))
    showing[:, 0] = 0.9
    scaled = scaling.apply(showing)
    assert np.square(scaled).sum(axis=1).max() < 3
    np.testing.assert_allclose(scaled[:, 0], 10 / np.sqrt(80), rtol=1e-6)
    assert np.abs(scaled[:, 1:]).max() < 2 / np.sqrt(80)


def test_l2_scales_each_photo_and_leaves_nothing_as_nothing(tmp_path):
    objects = stored(tmp_path, "l2", objects=OBJECTS).matrices["objects"]
    length = np.hypot(np.float32(0.05), 0.5)
    np.testing.assert_allclose(objects, [[1, 0], [0, 0], [0.05 / length, 0.5 / length]], rtol=1e-6)


def test_the_threshold_is_for_probabilities_alone_and_includes_itself(tmp_path):
    features = stored(tmp_path, "none", threshold=0.5, image=OBJECTS, objects=OBJECTS)
    np.testing.assert_array_equal(features.matrices["image"], np.float32([[0.9, 0.04], [0, 0], [0.05, 0.5]]))
    np.testing.assert_array_equal(features.matrices["objects"], np.float32([[0.9, 0], [0, 0], [0, 0.5]]))


@pytest.mark.parametrize("scaling", ["standardise", "l2", "none"])
def test_a_new_photo_can_be_scaled_as_those_of_the_store(tmp_path, scaling):
    features = stored(tmp_path, scaling, image=IMAGE, objects=OBJECTS)
    scalings = read_store(tmp_path / "store.parquet").scalings
    for name, raw in (("image", IMAGE), ("objects", OBJECTS)):
        again = scalings[name].apply(np.float32([raw["c"]]))
        np.testing.assert_array_equal(again[0], features.matrices[name][2])


def test_the_store_keeps_vectors_as_they_were_extracted(tmp_path):
    features = stored(tmp_path, "standardise", image=IMAGE, objects=OBJECTS)
    np.testing.assert_array_equal(features.raw["objects"], np.float32([OBJECTS[photo] for photo in "abc"]))
    np.testing.assert_array_equal(features.raw["image"], np.float32([IMAGE[photo] for photo in "abc"]))


@given(arrays(np.float32, (4, 5), elements=st.floats(0, 1, width=32)), st.sampled_from(["standardise", "l2", "none"]))
def test_a_scaling_depends_on_the_vectors_above_the_threshold_alone(vectors, method):
    cut = np.where(vectors < 0.25, np.float32(0), vectors)
    whole, part = (Scaling.fit(of, method, 0.25) for of in (vectors, cut))
    assert whole == part
    np.testing.assert_array_equal(whole.apply(vectors), part.apply(cut))


def test_the_extractors_records_travel_with_their_vectors(tmp_path):
    features = stored(tmp_path, "standardise", image=IMAGE, objects=OBJECTS)
    assert features.records == RECORDS
    assert list(features.raw) == list(features.matrices) == ["image", "objects"]


def test_a_file_that_is_no_store_is_refused(tmp_path):
    write_parquet(frame(IMAGE), tmp_path / "features.parquet")
    with pytest.raises(ArtifactError, match="is not a feature store"):
        read_store(tmp_path / "features.parquet")


def test_a_source_without_photos_has_no_features_and_says_so():
    empty = pl.DataFrame(schema={"photo": pl.String, "vector": pl.Array(pl.Float32, 80)})
    config = StoreConfig(scaling="none", threshold=0.0)
    with pytest.raises(InputError, match="The extractor objects has no vectors, because the source has no photos"):
        build_store({"objects": empty}, RECORDS, pl.Series(["a"]), pl.Series(["a"]), config)


def test_a_photo_without_features_is_named(tmp_path):
    with pytest.raises(InputError, match=r"Photo 'b' has no vector by the extractor objects \(1 such"):
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


def test_hashes_tell_the_same_numbers_in_other_shapes_apart():
    numbers = np.arange(12, dtype=np.float32)
    hashes = [
        Features(pl.Series(["p"] * rows), {"image": numbers.reshape(rows, -1)}).hashes["image"] for rows in (3, 4)
    ]
    assert len(set(hashes)) == 2
