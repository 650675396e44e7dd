"""Co-occurrence, against probabilities worked out by hand."""

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from pipeline.errors import SettingError
from pipeline.features.store import Features
from pipeline.models.co_occurrence import POSTS_PER_CHUNK, CoOccurrence, CoOccurrenceConfig, together

POSTS = pl.DataFrame(
    {
        "user": ["ann", "ann", "bob", "bob"],
        "photo": ["1", "2", "1", "3"],
        "tags": [["sea", "sun"], ["sea"], ["sky", "sun"], ["dog", "sky"]],
    }
)
NOTHING = Features(pl.Series([], dtype=pl.String), {})

# Rows: given dog, sea, sky, sun (in 1, 2, 2 and 2 posts). Columns: the same tags.
GIVEN = [[1, 0, 1, 0], [0, 1, 0, 1 / 2], [1 / 2, 0, 1, 1 / 2], [0, 1 / 2, 1 / 2, 1]]
# Ann has used sea twice and sun once; photo 1 was given sun twice, sea and sky once; photo 3 dog and sky.
ANN = [0, 2 / 3 + 1 / 6, 1 / 6, 1 / 3 + 1 / 3]
PHOTO_1 = [1 / 8, 1 / 4 + 1 / 4, 1 / 4 + 1 / 4, 1 / 2 + 1 / 8 + 1 / 8]
PHOTO_3 = [1 / 2 + 1 / 4, 0, 1 / 2 + 1 / 2, 1 / 4]


def scores(personal: float, user: str, photo: str) -> np.ndarray:
    config = CoOccurrenceConfig(kind="co-occurrence", features="none", personal=personal)
    model = CoOccurrence.fit(config, POSTS, NOTHING)
    assert model.tags == ["dog", "sea", "sky", "sun"]
    return model.scores(pl.DataFrame({"user": [user], "photo": [photo]}), NOTHING)[0]


def test_what_goes_with_the_users_tags():
    np.testing.assert_allclose(scores(1, "ann", "3"), ANN, atol=1e-8)


def test_what_goes_with_the_tags_that_others_gave_the_photo():
    np.testing.assert_allclose(scores(0, "ann", "1"), PHOTO_1, atol=1e-8)


def test_both_are_mixed():
    np.testing.assert_allclose(scores(0.25, "ann", "3"), [9 / 16, 5 / 24, 19 / 24, 17 / 48], atol=1e-8)


def test_who_or_what_is_not_known_adds_nothing():
    np.testing.assert_allclose(scores(0.25, "ann", "new"), np.multiply(0.25, ANN), atol=1e-8)
    np.testing.assert_allclose(scores(0.25, "eve", "3"), np.multiply(0.75, PHOTO_3), atol=1e-8)


def test_equals_are_ordered_by_popularity():
    dog, sea, sky, sun = scores(0.5, "eve", "new")
    assert sea == sky == sun > dog
    dog, sea, sky, sun = scores(1, "ann", "new")
    assert dog < 1e-8 < sky


def test_tags_of_a_post_are_counted_together_once_in_many_posts_too():
    tags = ["dog", "sea", "sky", "sun"]
    np.testing.assert_array_equal(np.multiply(GIVEN, [[1], [2], [2], [2]]), together(POSTS, tags))
    many = pl.concat([POSTS] * (POSTS_PER_CHUNK // 4 + 1))
    np.testing.assert_array_equal(together(many, tags), (POSTS_PER_CHUNK // 4 + 1) * together(POSTS, tags))


@pytest.mark.parametrize("personal", [-0.1, 1.1])
def test_the_weight_is_a_share(personal):
    with pytest.raises(ValidationError, match="personal"):
        CoOccurrenceConfig(kind="co-occurrence", features="none", personal=personal)


def test_too_many_tags_for_memory_are_refused(monkeypatch):
    """P31: 60,000 tags took 13.4 GiB, and a traceback."""
    monkeypatch.setattr(CoOccurrence, "most_tags", 3)
    with pytest.raises(SettingError, match=r"kind is 'co-occurrence', which takes at most 3 tags: 4 would need 0.0 GB"):
        scores(1, "ann", "3")
