"""Scores of the eight models, against numbers worked out by hand from Equations 4-7."""

import numpy as np
import polars as pl
import pytest

from pipeline.errors import InputError
from pipeline.features.store import Features
from pipeline.files.forms import LARGEST, FormError
from pipeline.models.factorisation import INTERACTION, LARGEST_STRETCH, Contexts, Factorisation, FactorisationConfig
from pipeline.models.model import ExtractorNote
from tests.support.checkerboard import FEATURE_SETS

NAMES = {"user": ["ann", "bob"], "tag": ["sea", "sky", "sun"], "photo": ["p", "q"]}
POSTS = pl.DataFrame({"user": ["ann", "bob", "eve"], "photo": ["q", "new", "p"]})
FEATURES = Features(
    pl.Series(["new", "p", "q"]),
    {"image": np.float32([[1, 0], [0, 1], [2, 1]]), "objects": np.float32([[0], [1], [3]])},
)
FACTORS = {
    "user": [[1, 2], [3, 0]],
    "photo": [[5, 1], [0, 1]],
    "image": [[1, 1], [0, 2]],
    "objects": [[-1, 1]],
}
BIAS = [0, 10, 20]


def model(kind: str, features: str, tag: list[list[float]], stretch: list[list[float]] | None = None) -> Factorisation:
    config = FactorisationConfig(kind=kind, features=features, interaction=stretch is not None)
    contexts = Contexts.of(config, FEATURE_SETS[features], 2)
    tensors = {name: FACTORS[name] for name in contexts.names} | {"tag": tag}
    if contexts.biased:
        tensors["bias"] = BIAS
    if stretch:
        tensors[INTERACTION] = stretch
    extractors = {name: ExtractorNote({}, None) for name in FEATURE_SETS[features]}
    return Factorisation(config, NAMES, {name: np.float32(value) for name, value in tensors.items()}, extractors)


def test_fm():
    # Eq. 4: ann + q = (1, 3); bob alone = (3, 0), for the photo is not known; p alone = (5, 1), for eve is not.
    scores = model("fm", "none", [[1, 0], [0, 1], [1, 1]]).scores(POSTS, FEATURES)
    np.testing.assert_array_equal(scores, [[1, 13, 24], [3, 10, 23], [5, 11, 26]])


def test_pitf():
    # Eq. 5: the user meets columns 1-2, the photo columns 3-4; no bias.
    scores = model("pitf", "none", [[1, 0, 0, 0], [0, 1, 0, 2], [0, 0, 1, 1]]).scores(POSTS, FEATURES)
    np.testing.assert_array_equal(scores, [[1, 4, 1], [3, 0, 0], [0, 2, 6]])


def test_fm_with_both_features():
    # Eq. 6. Images: q (2, 4), new (1, 1), p (0, 2). Objects: q (-3, 3), new (0, 0), p (-1, 1).
    # Sums: ann on q (0, 9); bob on new (4, 1); eve on p (-1, 3).
    scores = model("fm", "image+objects", [[1, 0], [0, 1], [1, 1]]).scores(POSTS, FEATURES)
    np.testing.assert_array_equal(scores, [[0, 19, 29], [4, 11, 25], [-1, 13, 22]])


def test_pitf_with_both_features():
    # Eq. 7: user, image and object vectors of the test above, each with its own two columns.
    tag = [[1, 0, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 1]]
    scores = model("pitf", "image+objects", tag).scores(POSTS, FEATURES)
    np.testing.assert_array_equal(scores, [[1, 16, 23], [3, 12, 20], [0, 12, 21]])


def test_fm_with_one_kind_of_features():
    # The photo is its features: its own factor has no part. Sums: (3, 6), (4, 1), (0, 2).
    scores = model("fm", "image", [[1, 0], [0, 1], [1, 1]]).scores(POSTS, FEATURES)
    np.testing.assert_array_equal(scores, [[3, 16, 29], [4, 11, 25], [0, 12, 22]])


def test_fm_with_an_interaction():
    # Images: q (2, 4), new (1, 1), p (0, 2). Ann stretches q by (2, 0) to (4, 0), bob new by (1, 3), and eve none.
    scores = model("fm", "image", [[1, 0], [0, 1], [1, 1]], [[1, -1], [0, 2]]).scores(POSTS, FEATURES)
    np.testing.assert_array_equal(scores, [[5, 12, 27], [4, 13, 27], [0, 12, 22]])


def test_pitf_with_an_interaction_of_both_features():
    # Images as above, stretched by columns 1-2. Objects: q (-3, 3), stretched by (1, 2) to (-3, 6); new (0, 0).
    tag = [[1, 0, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 1]]
    found = model("pitf", "image+objects", tag, [[1, -1, 0, 1], [0, 2, 5, 5]])
    np.testing.assert_array_equal(found.scores(POSTS, FEATURES), [[1, 14, 26], [3, 14, 20], [0, 12, 21]])
    parts = found.parts(POSTS, FEATURES)
    np.testing.assert_array_equal(parts[INTERACTION], [[0, -2, 3], [0, 2, 0], [0, 0, 0]])
    np.testing.assert_array_equal(sum(parts.values()), found.scores(POSTS, FEATURES))


def test_without_features_users_stretch_the_photos_own_factor():
    # Ann stretches q's (0, 1) by (2, 0) to (0, 0); new is not known; eve stretches nothing.
    tag = [[1, 0, 0, 0], [0, 1, 0, 2], [0, 0, 1, 1]]
    scores = model("pitf", "none", tag, [[1, -1], [0, 2]]).scores(POSTS, FEATURES)
    np.testing.assert_array_equal(scores, [[1, 2, 0], [3, 0, 0], [0, 2, 6]])


def test_folding_in_leaves_the_interaction_of_a_new_user_at_zero_and_of_a_known_one_as_it_was():
    known = model("fm", "image", [[1, 0], [0, 1], [1, 1]], [[1, -1], [0, 2]])
    post = pl.DataFrame({"photo": ["q"], "tags": [["sea"]]})
    np.testing.assert_array_equal(known.fold_in("eve", post, FEATURES).tensors[INTERACTION], [[1, -1], [0, 2], [0, 0]])
    learnt = known.fold_in("ann", post, FEATURES).tensors
    np.testing.assert_array_equal(learnt[INTERACTION], known.tensors[INTERACTION])
    assert learnt["user"][0, 0] > known.tensors["user"][0, 0]


@pytest.mark.parametrize("kind", ["fm", "pitf"])
@pytest.mark.parametrize("features", FEATURE_SETS)
def test_only_plain_pitf_has_no_bias(kind, features):
    contexts = Contexts.of(FactorisationConfig(kind=kind, features=features), FEATURE_SETS[features], 2)
    assert contexts.biased == ((kind, features) != ("pitf", "none"))


@pytest.mark.parametrize("name", ["user", "photo", "tag", "bias", "interaction"])
def test_an_extractor_cannot_have_the_name_of_another_parameter(name):
    with pytest.raises(InputError, match=f"cannot be called '{name}'"):
        Contexts.of(FactorisationConfig(kind="fm", features="set"), [name], 2)


def test_an_unknown_user_and_an_unseen_photo_add_nothing():
    posts = pl.DataFrame({"user": ["eve"], "photo": ["new"]})
    np.testing.assert_array_equal(model("fm", "none", [[1, 0], [0, 1], [1, 1]]).scores(posts, FEATURES), [BIAS])
    np.testing.assert_array_equal(model("pitf", "none", [[1, 0, 3, 4]] * 3).scores(posts, FEATURES), [[0, 0, 0]])


def of_one_value(stretch: float) -> Factorisation:
    """A model whose user stretches photos by so much, and whose other numbers are the greatest that a file has."""
    lengths = {"user": (1, 32), "image": (256, 32), "tag": (2, 32), "bias": (2,), "interaction": (1, 32)}
    tensors = {name: np.full(length, LARGEST, np.float32) for name, length in lengths.items()}
    tensors |= {"interaction": np.full((1, 32), stretch, np.float32)}
    config = FactorisationConfig(kind="fm", features="image", interaction=True)
    return Factorisation(config, {"user": ["ann"], "tag": ["sea", "sky"]}, tensors, {"image": ExtractorNote({}, None)})


def test_what_stretches_is_so_small_that_scores_are_finite():
    seen = Features(pl.Series(["new"]), {"image": np.full((1, 256), 10, np.float32)})
    new = pl.DataFrame({"user": ["ann"], "photo": ["new"]})
    model = of_one_value(LARGEST_STRETCH)
    model.check({"image": 256})
    assert np.isfinite(model.scores(new, seen)).all()
    greatest = of_one_value(LARGEST)
    with pytest.raises(FormError, match="interaction has a number"):
        greatest.check({"image": 256})
    with np.errstate(over="ignore"):
        assert not np.isfinite(greatest.scores(new, seen)).any()
