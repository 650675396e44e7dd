"""Mixed counts, against shares worked out by hand."""

import numpy as np
import polars as pl

from pipeline.features.store import Features
from pipeline.models.mixed_popular import MixedPopular, MixedPopularConfig

POSTS = pl.DataFrame(
    {
        "user": ["ann", "ann", "bob", "bob"],
        "photo": ["1", "2", "1", "3"],
        "tags": [["sea", "sun"], ["sea"], ["sky", "sun"], ["dog", "sky"]],
    }
)
NOTHING = Features(pl.Series([], dtype=pl.String), {})


def scores(personal: float, user: str, photo: str) -> np.ndarray:
    config = MixedPopularConfig(kind="mixed-popular", features="none", personal=personal)
    model = MixedPopular.fit(config, POSTS, NOTHING)
    assert model.tags == ["dog", "sea", "sky", "sun"]
    return model.scores(pl.DataFrame({"user": [user], "photo": [photo]}), NOTHING)[0]


def test_the_shares_of_the_user_and_of_the_photo_are_mixed():
    # Ann has used sea twice and sun once; photo 1 was given sun twice, sea and sky once.
    np.testing.assert_allclose(scores(1, "ann", "1"), [0, 2 / 3, 0, 1 / 3], atol=1e-8)
    np.testing.assert_allclose(scores(0, "ann", "1"), [0, 1 / 4, 1 / 4, 1 / 2], atol=1e-8)
    np.testing.assert_allclose(scores(0.25, "ann", "1"), [0, 17 / 48, 9 / 48, 22 / 48], atol=1e-8)


def test_a_user_or_photo_that_is_not_known_adds_nothing():
    np.testing.assert_allclose(scores(0.25, "eve", "1"), [0, 3 / 16, 3 / 16, 6 / 16], atol=1e-8)
    np.testing.assert_allclose(scores(0.25, "ann", "new"), [0, 2 / 12, 0, 1 / 12], atol=1e-8)


def test_equal_tags_are_ordered_by_popularity():
    dog, sea, sky, sun = scores(0.5, "eve", "new")
    assert sea == sky == sun > dog > 0
