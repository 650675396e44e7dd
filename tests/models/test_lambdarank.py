"""Blends with trees: what trees add, to which tags, from which numbers."""

import numpy as np
import polars as pl
import pytest

from pipeline.data.schema import PHOTO, TAGS, USER
from pipeline.errors import ArtifactError
from pipeline.features.store import Features
from pipeline.files.tensors import write_tensors
from pipeline.models import lambdarank, own_posts
from pipeline.models.blend import Blend
from pipeline.models.lambdarank import TREES, LambdaRank, LambdaRankConfig, best_of, first_known, inputs_of
from pipeline.models.own_photos import OwnPhotos, OwnPhotosConfig
from pipeline.models.own_posts import histories
from pipeline.models.popular import Popular, PopularConfig
from pipeline.models.registry import gather_tensors, load, notes_of, save
from pipeline.models.trees import Trees
from pipeline.models.user_popular import UserPopular, UserPopularConfig
from tests.support.trees import stump

POSTS = pl.DataFrame(
    {USER: ["ann", "ann", "bob"], PHOTO: ["p", "q", "r"], TAGS: [["sea", "sky"], ["sea"], ["cat", "sea"]]}
)
LOOKS = np.array([[2, 0], [0, 2], [1, 0], [3, 3]], np.float32)
SEEN = Features(pl.Series([*POSTS[PHOTO], "new"]), {"image": LOOKS})
NEW = pl.DataFrame({USER: ["ann", "bob", "eve"], PHOTO: ["new", "new", "new"]})


def models() -> dict[str, Popular | UserPopular | OwnPhotos]:
    near = OwnPhotosConfig(kind="own-photos", features="image", fading=0.0, sharpness=4.0, personal=0.5)
    nothing = Features(SEEN.photos, {})
    return {
        "popular": Popular.fit(PopularConfig(kind="popular", features="none"), POSTS, nothing),
        "own": UserPopular.fit(UserPopularConfig(kind="user-popular", features="none"), POSTS, nothing),
        "near": OwnPhotos.fit(near, POSTS, SEEN),
    }


def ranked(trees: Trees, **weights: float) -> LambdaRank:
    config = LambdaRankConfig(kind="lambdarank", features="image", models=weights, trees=10)
    return LambdaRank.of(config, models(), trees.tensors)


def blend(model: LambdaRank) -> Blend:
    """The same blend without trees."""
    config = {"kind": "blend", "features": "image", "models": model.config.models}
    return Blend.of(Blend.Config.model_validate(config), model.components)


def test_without_trees_it_is_the_blend():
    model = ranked(Trees.of([]), popular=1.0, own=0.5, near=2.0)
    np.testing.assert_array_equal(model.scores(NEW, SEEN), blend(model).scores(NEW, SEEN))


def test_candidates_get_what_trees_add_and_all_others_the_least_of_it(monkeypatch):
    """Input 0 is the score by which sea alone is above 0.5; of cat and sky one is no candidate."""
    monkeypatch.setattr(lambdarank, "RANKED_TAGS", 2)
    model = ranked(Trees.of([stump()]), popular=1.0)
    parts, before = model.parts(NEW, SEEN), blend(model).scores(NEW, SEEN)
    assert list(model.tags) == ["cat", "sea", "sky"]
    np.testing.assert_array_equal(parts[TREES], [[-1, 2, -1]] * 3)
    np.testing.assert_array_equal(model.scores(NEW, SEEN), before + parts[TREES])


def test_among_equal_scores_the_first_tags_are_candidates():
    scores = np.array([np.arange(90) % 3, np.zeros(90)])
    assert np.sort(best_of(scores)).tolist() == [sorted([*range(2, 90, 3), *range(1, 60, 3)]), [*range(50)]]
    assert best_of(scores[:0]).shape == (0, 50)


def test_no_tag_passes_a_candidate_whose_score_trees_lower(monkeypatch):
    monkeypatch.setattr(lambdarank, "RANKED_TAGS", 1)
    lower = stump(right_child={"leaf_index": 1, "leaf_value": -9.0})
    model = ranked(Trees.of([lower]), popular=1.0)
    np.testing.assert_array_equal(model.scores(NEW, SEEN), blend(model).scores(NEW, SEEN) - 9)


def test_inputs_are_the_scores_of_each_tag_and_the_history_of_its_post():
    scores = np.arange(12.0).reshape(2, 2, 3)  # Of two models, for two posts with three candidates each.
    history = np.array([[5, 0.5], [0, np.nan]], np.float32)
    expected = [[0, 6, 5, 0.5], [1, 7, 5, 0.5], [2, 8, 5, 0.5], [3, 9, 0, np.nan], [4, 10, 0, np.nan]]
    np.testing.assert_array_equal(inputs_of(scores, history)[:5], expected)


def test_a_history_is_its_length_and_the_cosine_of_the_nearest_own_photo():
    diagonal = 2**-0.5
    expected = [[2, diagonal], [1, diagonal], [0, np.nan]]
    found = {name: histories(model, NEW, SEEN) for name, model in models().items()}
    np.testing.assert_allclose(found["near"], expected, rtol=1e-6)
    assert np.isnan(found["popular"]).all()
    known = first_known(np.stack([found["popular"], found["own"], found["near"]]))
    np.testing.assert_array_equal(known, found["near"])


def test_the_nearest_own_photo_is_found_among_chunks_of_posts(monkeypatch):
    near = models()["near"]
    whole = histories(near, NEW, SEEN)
    monkeypatch.setattr(own_posts, "POSTS_PER_CHUNK", 1)
    np.testing.assert_allclose(histories(near, NEW, SEEN), whole, rtol=1e-6)


def test_trees_see_a_history_that_grows():
    """Input 1 is the number of own posts: from two on, trees add 2, below that −1."""
    model = ranked(Trees.of([stump(split_feature=1, threshold=1.5)]), near=1.0)
    np.testing.assert_array_equal(model.parts(NEW, SEEN)[TREES][:, 0], [2, -1, -1])
    grown = model.fold_in("bob", POSTS[:1].drop(USER), SEEN)
    np.testing.assert_array_equal(grown.parts(NEW, SEEN)[TREES][:, 0], [2, 2, -1])
    alone = model.keep_users(["bob"])
    np.testing.assert_array_equal(alone.parts(NEW, SEEN)[TREES][:, 0], [-1, -1, -1])


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("tree_input", lambda array: array + 3, "tree_input has a number that is not from 0 to 2"),
        ("tree_children", lambda array: array * 0 + 1, "tree_children has a node that does not come after its parent"),
        ("tree_leaf", lambda array: array[:, :5], "tree_leaf has the shape"),
        ("tree_leaf", None, "it has the arrays "),
    ],
)
def test_trees_of_another_form_are_refused(tmp_path, name, change, words):
    model = ranked(Trees.of([stump()]), near=1.0)
    tensors = gather_tensors(model)
    array = tensors.pop(name)
    if change:
        tensors[name] = np.ascontiguousarray(change(array))
    write_tensors(tensors, notes_of(model), tmp_path / "model")
    with pytest.raises(ArtifactError, match=words):
        load(tmp_path / "model")


def test_more_trees_than_are_fitted_are_refused(tmp_path):
    model = ranked(Trees.of([stump()] * 11), near=1.0)
    save(model, tmp_path / "model")
    with pytest.raises(ArtifactError, match="it has 11 trees, where 10 are fitted at most"):
        load(tmp_path / "model")


@pytest.mark.parametrize("kind", ["blend", "lambdarank"])
def test_a_file_of_a_blend_without_weights_is_refused(tmp_path, kind):
    made = ranked(Trees.of([stump()]), near=1.0)
    model = made if kind == "lambdarank" else blend(made)
    notes = notes_of(model)
    notes["config"]["models"] = ["near"]
    write_tensors(gather_tensors(model), notes, tmp_path / "model")
    with pytest.raises(ArtifactError, match="it is a blend without weights"):
        load(tmp_path / "model")
