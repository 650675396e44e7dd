"""Neighbour voting, against votes counted by hand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.errors import InputError, SettingError
from pipeline.features.store import Features
from pipeline.models.neighbours import Neighbours, NeighboursConfig, at_unit_length, nearest

POSTS = pl.DataFrame(
    {
        "user": ["ann", "ann", "bob", "bob", "eve"],
        "photo": ["a", "b", "c", "d", "a"],
        "tags": [["sea", "sun"], ["sea"], ["dog"], ["sun"], ["sky", "sun"]],
    }
)
FEATURES = Features(
    pl.Series(["a", "b", "c", "d", "near a", "near c"]),
    {
        "image": np.float32([[0, 0], [1, 0], [5, 0], [6, 0], [0.25, 0], [5, 0]]),
        "objects": np.float32([[0], [0], [0], [9], [0], [-1]]),
    },
)


def fitted(neighbours: int, *extractors: str) -> Neighbours:
    config = NeighboursConfig(kind="neighbours", features="some", neighbours=neighbours)
    seen = {name: FEATURES.raw[name] for name in extractors or FEATURES.raw}
    return Neighbours.fit(config, POSTS, Features(FEATURES.photos, seen))


def asked(*photos: str) -> pl.DataFrame:
    return pl.DataFrame({"user": ["nobody"] * len(photos), "photo": photos})


def test_votes_above_what_any_photos_would_give():
    model = fitted(2)
    assert model.tags == ["dog", "sea", "sky", "sun"]
    # Of four photos a has sea, sky and sun, b sea, c dog, d sun: two photos have 2/4, 4/4, 2/4 and 4/4 on average.
    # Near a: a and b. Near c by both features: c (1 away) and b (√17); d is √101 away.
    found = model.scores(asked("near a", "near c"), FEATURES)
    np.testing.assert_array_equal(found, [[-0.5, 1, 0.5, 0], [0.5, 0, -0.5, -1]])


def test_the_features_of_the_set_decide_who_is_near():
    # By image alone c (0 away) and d (1).
    np.testing.assert_array_equal(fitted(2, "image").scores(asked("near c"), FEATURES), [[0.5, -1, -0.5, 0]])
    # By objects alone a, b and c (1 away) are equally near: the first two by name vote.
    np.testing.assert_array_equal(fitted(2, "objects").scores(asked("near c"), FEATURES), [[-0.5, 1, 0.5, 0]])


def test_a_photo_that_others_posted_votes_for_itself_and_once():
    # Both of its posts have sun: one vote, for it is one photo.
    np.testing.assert_array_equal(fitted(1).scores(asked("a"), FEATURES), [[-0.25, 0.5, 0.75, 0.5]])


def test_scoring_needs_no_features_of_training_photos():
    new = Features(FEATURES.photos[4:], {name: matrix[4:] for name, matrix in FEATURES.raw.items()})
    model = fitted(2)
    np.testing.assert_array_equal(
        model.scores(asked("near a", "near c"), new), model.scores(asked("near a", "near c"), FEATURES)
    )


@pytest.mark.parametrize("neighbours", [4, 50])
def test_more_neighbours_than_training_photos_are_refused(neighbours):
    with pytest.raises(SettingError, match=rf"neighbours is {neighbours}; of 4 training photos all would vote"):
        fitted(neighbours)


def test_a_photo_without_features_is_named():
    with pytest.raises(InputError, match="'lost' is not in the feature store"):
        fitted(1).scores(asked("lost"), FEATURES)
    with pytest.raises(InputError, match="'a' is not in the feature store"):
        Neighbours.fit(fitted(1).config, POSTS, Features(pl.Series(["b"]), {"image": np.zeros((1, 2), np.float32)}))


def test_photos_that_look_the_same_are_equally_near_wherever_they_stand():
    # As photos without any object do. A plain matrix product rounds the same vector differently in other columns.
    rng = np.random.default_rng(0)
    photos, new = ([f"{name}{number:03}" for number in range(300)] for name in ("old", "new"))
    same, others = np.repeat(rng.normal(size=(1, 512)), 300, axis=0), rng.normal(size=(300, 512))
    features = Features(pl.Series(photos + new), {"image": np.concatenate([same, others]).astype(np.float32)})
    posts = pl.DataFrame({"user": ["ann"] * 300, "photo": photos, "tags": [[photo] for photo in photos]})
    model = Neighbours.fit(NeighboursConfig(kind="neighbours", features="image", neighbours=20), posts, features)
    voted = model.scores(asked(*new), features) > 0
    assert voted[:, :20].all()
    assert not voted[:, 20:].any()


def test_a_photo_is_nearest_to_itself_even_if_all_are_far_from_the_origin():
    """P32: features of large mean and small deviation, unscaled."""
    rng = np.random.default_rng(0)
    vectors = np.float32(1000 + rng.normal(0, 0.05, (300, 64)))
    assert nearest(vectors, vectors, np.arange(300), 1).ravel().tolist() == list(range(300))


@given(st.data())
def test_the_nearest_are_those_of_a_plain_sort(data):
    numbers = st.integers(-3, 3).map(np.float32)
    others = data.draw(arrays(np.float32, st.tuples(st.integers(1, 12), st.just(2)), elements=numbers))
    points = data.draw(arrays(np.float32, (3, 2), elements=numbers))
    k = data.draw(st.integers(1, len(others)))
    vectors, vector = np.unique(others, axis=0, return_inverse=True)
    expected = [
        sorted(sorted(range(len(others)), key=lambda place: (np.square(others[place] - point).sum(), place))[:k])
        for point in points
    ]
    assert np.sort(nearest(points, vectors, vector, k)).tolist() == expected


@pytest.mark.parametrize("scale", [1e-45, 1e-40, 1e-30, 1e-22, 1e-19, 1e-16, 1e-14, 1.0, 1e14, 1e16, 1e19, 1e30, 5e37])
@pytest.mark.filterwarnings("error")
def test_vectors_of_any_scale_have_length_1(scale):
    vectors = np.float32(scale) * np.float32([[3, 0, -4], [0, 0, 0], [1, 1, 1], [0, 0, -2]])
    vectors[1] = 0
    third = 3**-0.5
    expected = [[0.6, 0, -0.8], [0, 0, 0], [third, third, third], [0, 0, -1]]
    found = at_unit_length(vectors)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-7)


def test_at_length_1_each_vector_is_as_it_is_alone():
    vectors = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    expected = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    among_extreme_ones = np.concatenate([vectors, 1e30 * vectors, 1e-30 * vectors], dtype=np.float32)
    np.testing.assert_array_equal(at_unit_length(vectors), expected)
    np.testing.assert_array_equal(at_unit_length(among_extreme_ones)[:9], expected)
    assert at_unit_length(vectors[:, :0]).shape == (9, 0)
