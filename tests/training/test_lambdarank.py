"""Trees of blends: they learn what weights cannot, alike in every run, and no post is measured by its own trees."""

import sys

import numpy as np
import polars as pl
import pytest

from pipeline.data.schema import PHOTO, TAGS, TIME, USER
from pipeline.errors import InputError
from pipeline.features.store import Features
from pipeline.models.blend import BlendConfig
from pipeline.models.lambdarank import LambdaRankConfig
from pipeline.models.model import Model
from pipeline.training.blend import Candidates, fit_blend, gather, weigh, weight_folds
from pipeline.training.task import F1_AT_5
from tests.support.known import Known

TAG_NAMES = [f"t{number:02}" for number in range(40)]
USERS, PHOTOS = 20, 10
POSTS = pl.DataFrame(
    {
        USER: [f"u{user:02}" for user in range(USERS) for _ in range(PHOTOS)],
        PHOTO: [f"p{user:02}-{photo}" for user in range(USERS) for photo in range(PHOTOS)],
    }
)
NOTHING = Features(POSTS[PHOTO], {})


def together() -> tuple[pl.DataFrame, dict[str, Model]]:
    """Posts with the tags that two models both score high: either alone scores as many wrong ones as high."""
    rng = np.random.default_rng(0)
    first, second = (rng.random((len(POSTS), len(TAG_NAMES))) < 0.3 for _ in range(2))
    tags = [[TAG_NAMES[at] for at in np.flatnonzero(row)] for row in first ^ second]
    noise = rng.normal(scale=0.1, size=(2, *first.shape))
    return POSTS.with_columns(pl.Series(TAGS, tags)), {
        "one": Known(first + noise[0], TAG_NAMES),
        "two": Known(second + noise[1], TAG_NAMES),
    }


def config(kind: str = "lambdarank", models: object = ("one", "two"), trees: int = 30) -> BlendConfig:
    models = models if isinstance(models, dict) else [*models]
    if kind == "blend":
        return BlendConfig(kind="blend", features="none", models=models)
    return LambdaRankConfig(kind="lambdarank", features="none", models=models, trees=trees)


def test_trees_learn_what_no_weighted_sum_can_say():
    """Tags are right that one model alone scores high."""
    posts, models = together()
    linear, ranked = (weigh(config(kind), [models], [posts], NOTHING, F1_AT_5) for kind in ("blend", "lambdarank"))
    assert ranked.score > linear.score + 0.1


def test_the_same_posts_give_the_same_trees():
    posts, models = together()
    first, second = (weigh(config(), [models], [posts], NOTHING, F1_AT_5) for _ in range(2))
    assert first.config == second.config
    assert first.tensors.keys() == second.tensors.keys()
    assert all(first.tensors[name].tobytes() == second.tensors[name].tobytes() for name in first.tensors)


def test_last_digits_that_differ_choose_no_other_trees():
    """As with another number of a library's threads: tags that no model prefers are equal but for these digits."""
    posts, models = together()
    rng = np.random.default_rng(2)
    coarse = {name: np.round(model.tensors["scores"]) for name, model in models.items()}
    exact, noisy = (
        {name: Known(scores + size * rng.normal(size=scores.shape), TAG_NAMES) for name, scores in coarse.items()}
        for size in (0, 1e-7)
    )
    given = config(models={"one": 1.0, "two": 1.0})
    first, second = (weigh(given, [each], [posts], NOTHING, F1_AT_5) for each in (exact, noisy))
    assert all(first.tensors[name].tobytes() == second.tensors[name].tobytes() for name in first.tensors)
    assert first.score == second.score


def test_weights_that_are_given_stay_and_trees_start_from_them():
    posts, models = together()
    given = config(models={"one": 2.0, "two": 0.5})
    chosen = weigh(given, [models], [posts], NOTHING, F1_AT_5)
    assert chosen.config == given
    other = weigh(config(models={"one": 0.5, "two": 2.0}), [models], [posts], NOTHING, F1_AT_5)
    assert not np.array_equal(chosen.tensors["tree_leaf"], other.tensors["tree_leaf"])


def test_a_post_is_not_measured_by_trees_that_were_fitted_to_it():
    """The scores are noise, by which trees can tell each post from all others."""
    posts, _ = together()
    noise = np.random.default_rng(1).normal(size=(2, len(posts), len(TAG_NAMES)))
    models = {"one": Known(noise[0], TAG_NAMES), "two": Known(noise[1], TAG_NAMES)}
    chosen = weigh(config(models={"one": 1.0, "two": 1.0}, trees=100), [models], [posts], NOTHING, F1_AT_5)
    own = chosen.of(models).scores(posts, NOTHING)
    right = np.array([[tag in tags for tag in TAG_NAMES] for tags in posts[TAGS].to_list()])
    found = np.take_along_axis(right, np.argsort(-own, axis=1)[:, :5], axis=1)
    learnt = F1_AT_5.of(found, right.sum(axis=1))
    by_chance = 2 * 5 * right.mean() / (5 + right.sum(axis=1).mean())
    assert learnt > by_chance + 0.02
    assert chosen.score < (learnt + by_chance) / 2


def test_what_a_part_is_measured_by_does_not_depend_on_its_tags():
    posts, models = together()
    (part,) = weight_folds(config(), [posts])
    candidates = gather(config(), [models], [posts], NOTHING)
    wrong = candidates.right.copy()
    wrong[part == 2] = ~wrong[part == 2]
    other = Candidates(candidates.scores, wrong, candidates.histories)
    found, changed = (fit_blend(config(), each.only(part != 2), F1_AT_5).tensors for each in (candidates, other))
    assert all(np.array_equal(found[name], changed[name]) for name in found)


def test_parts_for_trees_are_runs_of_posts_by_user_and_time():
    shuffled = POSTS.sample(fraction=1.0, shuffle=True, seed=0)
    (part,) = weight_folds(config(), [shuffled])
    assert (
        shuffled.with_columns(pl.Series("part", part)).group_by(USER).agg(pl.col("part").n_unique())["part"].max() == 1
    )
    assert np.bincount(part).tolist() == [len(POSTS) // 5] * 5
    alone = pl.DataFrame({USER: "ann", PHOTO: [*"edcba"], TIME: [5, 1, 4, 2, 3]})
    assert weight_folds(config(), [alone])[0].tolist() == [4, 0, 3, 1, 2]


def test_a_run_has_the_posts_of_all_folds_and_weights_still_take_turns():
    """A fold has the newest posts, the next those before them: e and f are next to each other."""
    folds = [pl.DataFrame({USER: "ann", PHOTO: [*photos]}) for photos in ("fghij", "abcde")]
    assert [part.tolist() for part in weight_folds(config(), folds)] == [[2, 3, 3, 4, 4], [0, 0, 1, 1, 2]]
    folds[0] = folds[0][:4]
    assert [part.tolist() for part in weight_folds(config("blend"), folds)] == [[0, 1, 2, 3], [4, 0, 1, 2, 3]]


@pytest.mark.parametrize("posts", [0, 1, 3])
def test_any_number_of_posts_gives_trees_that_score(posts):
    all_posts, models = together()
    folds = [all_posts[:posts]] if posts else []
    chosen = weigh(config(), [models] * len(folds), folds, NOTHING, F1_AT_5)
    assert len(chosen.tensors["tree_leaf"]) <= 30
    assert chosen.of(models).scores(all_posts, NOTHING).shape == (len(all_posts), len(TAG_NAMES))


def test_without_lightgbm_one_sentence_says_what_to_install(monkeypatch):
    posts, models = together()
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(InputError, match=r"needs the package lightgbm, .*pip install lightgbm, or '\.\[lambdarank\]'"):
        weigh(config(), [models], [posts], NOTHING, F1_AT_5)
    assert weigh(config("blend"), [models], [posts], NOTHING, F1_AT_5).score > 0


def test_suggesting_takes_no_lightgbm(monkeypatch):
    posts, models = together()
    model = weigh(config(), [models], [posts], NOTHING, F1_AT_5).of(models)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    assert np.isfinite(model.scores(posts, NOTHING)).all()
