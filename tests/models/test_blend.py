"""Blends against scores computed by hand."""

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from pipeline.data.schema import PHOTO, TAGS, USER
from pipeline.errors import InputError
from pipeline.features.store import Features
from pipeline.models.blend import Blend, BlendConfig, in_deviations
from pipeline.models.model import BIAS
from pipeline.models.neighbours import VOTES, Neighbours, NeighboursConfig
from pipeline.models.object_names import ObjectNames, ObjectNamesConfig
from pipeline.models.popular import Popular, PopularConfig
from pipeline.models.ridge import Ridge, RidgeConfig
from pipeline.models.user_popular import UserPopular, UserPopularConfig

POSTS = pl.DataFrame(
    {USER: ["ann", "ann", "bob"], PHOTO: ["p", "q", "r"], TAGS: [["sea", "sky"], ["sea"], ["cat", "sea"]]}
)
NOTHING = Features(POSTS[PHOTO], {})
SEEN = Features(POSTS[PHOTO], {"objects": np.eye(3, dtype=np.float32)}, records={"objects": {"classes": ["cat"] * 3}})


def popular() -> Popular:
    return Popular.fit(PopularConfig(kind="popular", features="none"), POSTS, NOTHING)


def habits() -> UserPopular:
    return UserPopular.fit(UserPopularConfig(kind="user-popular", features="none"), POSTS, NOTHING)


def blend(features: str = "none", **weights: float) -> BlendConfig:
    return BlendConfig(kind="blend", features=features, models=weights)


def test_scores_are_weighted_logarithms_of_deviations():
    """Tags cat, sea, sky: counts 1, 3, 1 deviate by −1, 2, −1 over √2; ann's habits 0.25, 2.75, 1.25 are apart."""
    model = Blend.of(blend(everyone=2.0, own=0.5), {"everyone": popular(), "own": habits()})
    own = np.array([0.25, 2.75, 1.25])
    deviations = (own - own.mean()) / own.std()
    logarithms = np.log1p(np.abs(deviations))
    everyone = np.array([-np.log1p(0.5**0.5), np.log1p(2**0.5), -np.log1p(0.5**0.5)])
    expected = 2 * everyone + 0.5 * np.sign(deviations) * logarithms
    np.testing.assert_allclose(model.scores(POSTS[:1], NOTHING)[0], expected)
    parts = model.parts(POSTS[:1], NOTHING)
    np.testing.assert_allclose(parts[USER][0], 0.5 * np.array([0, 2, 1]) / own.std() * logarithms / np.abs(deviations))
    np.testing.assert_allclose(parts[USER] + parts[BIAS], [expected])


def test_scores_that_are_all_alike_add_nothing():
    alike = np.array([[0.1, 0.1, 0.1], [1.0, 2.0, 3.0]])
    np.testing.assert_allclose(in_deviations(alike), [[0, 0, 0], [-(1.5**0.5), 0, 1.5**0.5]])


def test_scores_do_not_depend_on_the_posts_that_are_scored_together(monkeypatch):
    model = Blend.of(blend(everyone=2.0, own=0.5), {"everyone": popular(), "own": habits()})
    together = model.scores(POSTS, NOTHING)
    monkeypatch.setattr("pipeline.models.blend.POSTS_PER_CHUNK", 2)
    np.testing.assert_array_equal(model.scores(POSTS, NOTHING), together)


def test_only_models_with_a_weight_are_in_it():
    model = Blend.of(blend(own=1.0), {"everyone": popular(), "own": habits()})
    assert list(model.components) == ["own"]


def test_words_are_those_of_its_models_without_their_numbers():
    config = NeighboursConfig(kind="neighbours", features="objects", neighbours=2)
    alone = Neighbours.fit(config, POSTS, SEEN)
    assert alone.words(VOTES, 2.0) == "2 of the photos most like it have it"
    model = Blend.of(blend("objects", similar=3.0), {"similar": alone})
    assert model.words(VOTES, 4.2) == "photos most like it have it"


def test_an_extractors_numbers_are_ordered_by_all_models_that_have_them():
    named = ObjectNames.fit(ObjectNamesConfig(kind="object-names", features="objects"), POSTS, SEEN)
    model = Blend.of(blend("objects", named=2.0, own=1.0), {"named": named, "own": habits()})
    np.testing.assert_array_equal(model.feature_weights("objects"), 2 * named.feature_weights("objects"))


def test_models_that_see_another_extractor_have_no_say_in_how_its_numbers_are_ordered():
    features = Features(POSTS[PHOTO], {**SEEN.raw, "image": np.eye(3, dtype=np.float32)}, records=SEEN.records)
    named = ObjectNames.fit(ObjectNamesConfig(kind="object-names", features="objects"), POSTS, SEEN)
    looks = Features(POSTS[PHOTO], {"image": features.raw["image"]})
    linear = Ridge.fit(RidgeConfig(kind="ridge", features="image", l2=1.0, fading=0.5), POSTS, looks)
    model = Blend.of(blend("image+objects", named=2.0, linear=3.0), {"named": named, "linear": linear})
    np.testing.assert_array_equal(model.feature_weights("objects"), 2 * named.feature_weights("objects"))
    np.testing.assert_array_equal(model.feature_weights("image"), 3 * linear.feature_weights("image"))


def test_models_of_other_tags_are_refused():
    fewer = Popular.fit(PopularConfig(kind="popular", features="none"), POSTS[:2], NOTHING)
    with pytest.raises(InputError, match="everyone, own have different tags"):
        Blend.of(blend(everyone=1.0, own=1.0), {"everyone": fewer, "own": habits()})


def test_other_features_of_the_same_name_are_refused():
    other = Features(SEEN.photos, SEEN.raw, records={"objects": {"classes": ["dog"] * 3}})
    config = ObjectNamesConfig(kind="object-names", features="objects")
    models = {"one": ObjectNames.fit(config, POSTS, SEEN), "two": ObjectNames.fit(config, POSTS, other)}
    with pytest.raises(InputError, match="one, two were not fitted with the same features by objects"):
        Blend.of(blend("objects", one=1.0, two=1.0), models)


@pytest.mark.parametrize(
    "models",
    [
        "some",
        [],
        {},
        ["fm", "fm"],
        {"fm": 0.0},
        {"fm": -1.0},
        {"fm": float("nan")},
        {"fm": float("inf")},
        {"fm": 1e308},
    ],
)
def test_choices_of_models_that_blend_nothing_are_refused(models):
    with pytest.raises(ValidationError):
        BlendConfig(kind="blend", features="none", models=models)
