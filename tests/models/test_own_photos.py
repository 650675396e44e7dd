"""The user's own photos, against votes worked out by hand."""

from math import exp

import numpy as np
import polars as pl
import pytest

from pipeline.errors import InputError
from pipeline.features.store import Features
from pipeline.models.model import ExtractorNote
from pipeline.models.own_photos import EVERYONE, OWN, OwnPhotos, OwnPhotosConfig, directions
from pipeline.models.own_posts import UNWEIGHTED

MINUTE = 60_000
POSTS = pl.DataFrame(
    {
        "user": ["ann", "ann", "bob"],
        "photo": ["a", "b", "c"],
        "tags": [["sea", "sun"], ["dog"], ["dog", "sky"]],
        "time": [0, 3 * MINUTE, 0],
    }
)
# Lengths do not count: the directions are east, north and west.
FEATURES = Features(
    pl.Series(["a", "b", "c", "north", "west"]), {"image": np.float32([[2, 0], [0, 5], [-1, 0], [0, 1], [-3, 0]])}
)


def fitted(fading: float = 0, sharpness: float = 2, personal: float = 1) -> OwnPhotos:
    settings = {"fading": fading, "sharpness": sharpness, "personal": personal}
    return OwnPhotos.fit(OwnPhotosConfig(kind="own-photos", features="image", **settings), POSTS, FEATURES)


def asked(user: str, photo: str, minute: int = 3) -> pl.DataFrame:
    return pl.DataFrame({"user": [user], "photo": [photo], "time": [minute * MINUTE]})


def test_own_photos_vote_by_their_look():
    assert fitted().tags == ["dog", "sea", "sky", "sun"]
    # North of ann's photos a is at a right angle (cosine 0) and b is the same (1).
    a, b = exp(2 * (0 - 1)), 1
    expected = np.array([b, a, 0, a]) / (b + 2 * a)
    np.testing.assert_allclose(fitted().scores(asked("ann", "north"), FEATURES)[0], expected, atol=UNWEIGHTED)


def test_and_by_their_time():
    # At minute 3, with fading 1, a counts 1/4 and b 1.
    a, b = exp(-2) / 4, 1
    expected = np.array([b, a, 0, a]) / (b + 2 * a)
    np.testing.assert_allclose(fitted(1).scores(asked("ann", "north"), FEATURES)[0], expected, atol=UNWEIGHTED)


def test_everyones_photos_decide_where_no_own_one_is_alike_and_for_new_users():
    model = fitted(personal=0.5)
    # The mean of dog's photos is half north, half west: its cosine, so to speak, is 1/2 where b's or c's is 1.
    dog, sea, sky = 2 / 3 * exp(2 * (0.5 - 1)), 1 / 3 * exp(2 * (-1 - 1)), 1 / 3
    everyone = np.array([dog, sea, sky, sea])
    found = model.scores(asked("eve", "west"), FEATURES)[0]
    np.testing.assert_allclose(found, everyone / everyone.sum(), atol=1e-8)
    # To the west of ann's photos a is opposite (-1) and b at a right angle (0): half of each counts.
    own = np.array([exp(-2), exp(-4), 0, exp(-4)]) / 2
    parts = model.parts(asked("ann", "west"), FEATURES)
    total = (own + everyone).sum()
    np.testing.assert_allclose(parts[OWN][0], own / total, atol=UNWEIGHTED)
    np.testing.assert_allclose(parts[EVERYONE][0], everyone / total, atol=UNWEIGHTED)


def test_without_sharpness_the_look_does_not_count():
    model = fitted(sharpness=0)
    np.testing.assert_allclose(
        model.scores(asked("ann", "west"), FEATURES)[0], np.array([1, 1, 0, 1]) / 3, atol=UNWEIGHTED
    )


def test_an_accepted_photo_votes_at_once():
    more = pl.DataFrame({"photo": ["west"], "tags": [["sky"]]})
    learnt = fitted().fold_in("ann", more, FEATURES)
    # A post in the west, of the same look: sky counts 1, dog e^-2, sea and sun e^-4.
    expected = np.array([exp(-2), exp(-4), 1, exp(-4)])
    found = learnt.scores(asked("ann", "west"), FEATURES)[0]
    np.testing.assert_allclose(found, expected / expected.sum(), atol=UNWEIGHTED)


def test_vectors_of_other_users_are_forgotten():
    alone = fitted(personal=0.5).keep_users(["bob"])
    np.testing.assert_array_equal(alone.tensors["post_photo"], [[-1, 0]])


def test_a_photo_without_features_is_named():
    with pytest.raises(InputError, match="'lost' is not in the feature store"):
        fitted().scores(asked("ann", "lost"), FEATURES)


def test_looks_and_places_count_alike():
    """Vectors of any lengths: the cosine of two photos is the mean of that of their looks and that of their places."""
    rng = np.random.default_rng(0)
    raw = {"look": rng.normal(size=(3, 5)) * 40, "place": rng.normal(size=(3, 4))}
    raw["place"][2] = 0
    features = Features(pl.Series(["a", "b", "c"]), {name: np.float32(each) for name, each in raw.items()})
    notes = {"look": ExtractorNote({}, None), "place": ExtractorNote({"kind": "place"}, None)}
    found = directions(notes, pl.DataFrame({"photo": ["a", "b", "c"]}), features)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)

    def cosine(name: str) -> float:
        first, second = raw[name][:2]
        return first @ second / np.linalg.norm(first) / np.linalg.norm(second)

    assert found[0] @ found[1] == pytest.approx((cosine("look") + cosine("place")) / 2, abs=1e-5)
    np.testing.assert_allclose(found[2], [*raw["look"][2] / np.linalg.norm(raw["look"][2]), 0, 0, 0, 0], atol=1e-6)
