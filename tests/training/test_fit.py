"""Fitting: its course, its settings, and what stops it."""

import numpy as np
import polars as pl
import pytest

from pipeline.errors import InputError, SettingError
from pipeline.features.store import Features
from pipeline.models.ranking import top_tags
from pipeline.training.fit import complete, fit
from pipeline.training.task import TrainingTask
from tests.support.checkerboard import (
    ADAPTIVE,
    BOTH,
    FACTORISATIONS,
    INTERACTIONS,
    TAGS,
    TRAINING,
    checkerboard,
    config,
    name,
)


@pytest.mark.parametrize("model", [*FACTORISATIONS, BOTH, INTERACTIONS[0]], ids=name)
def test_plain_gradient_steps_learn_who_uses_which_tags(model):
    posts, new, features = checkerboard(model)
    training = TRAINING.model_copy(update={"optimizer": "sgd", "epochs": 150})
    fitted = fit(complete(config(model), training), TrainingTask(posts, None, features, 0))
    top = top_tags(fitted.model.scores(new, features), 6)
    for user, suggested in enumerate(top.tolist()):
        assert {TAGS[tag] for tag in suggested} == set(TAGS[user % 2 :: 2])


# If features are only noise, a margin of 1 on training posts is reached by memorising them.
@pytest.mark.parametrize(
    ("model", "loss"),
    [(model, "softmax") for model in FACTORISATIONS]
    + [(model, "warp") for model in FACTORISATIONS if model["features"] == "none"],
)
def test_losses_over_all_tags_learn_who_uses_which_in_fewer_epochs_and_draw_no_negative(model, loss):
    posts, new, features = checkerboard(model)
    training = TRAINING.model_copy(update={"loss": loss, "epochs": 15})
    task = TrainingTask(posts, None, features, 0)
    fitted = fit(complete(config(model), training), task)
    top = top_tags(fitted.model.scores(new, features), 6)
    for user, suggested in enumerate(top.tolist()):
        assert {TAGS[tag] for tag in suggested} == set(TAGS[user % 2 :: 2])
    hard = training.model_copy(update={"negatives": ADAPTIVE.negatives})
    again = fit(complete(config(model), hard), task)
    assert again.curve.equals(fitted.curve)


@pytest.mark.parametrize("features", ["none", "image"])
@pytest.mark.parametrize("kind", ["fm", "pitf", "fm-history", "pitf-history"])
def test_only_with_an_interaction_users_tag_the_same_thing_differently(kind, features):
    # Of two things, users of even numbers call the first x and the second y, the others the reverse: no sum of what
    # users prefer and what photos prefer orders both. Each user has posted each of four photos of a thing but one.
    rows = [
        (f"u{user}", f"p{thing}{number}", ["x" if (user + thing) % 2 == 0 else "y"], number == user % 4)
        for user in range(8)
        for thing in range(2)
        for number in range(4)
    ]
    posts = pl.DataFrame(rows, schema=["user", "photo", "tags", "new"], orient="row")
    photos = posts["photo"].unique().sort()
    shown = np.float32([[photo[1] == "0", photo[1] == "1"] for photo in photos])
    seen, right = Features(photos, {"image": shown} if features == "image" else {}), {}
    settings = {"kind": kind, "features": features} | ({"fading": 0} if "history" in kind else {})
    for interaction in (False, True):
        model = complete(config(settings | {"interaction": interaction}), TRAINING)
        fitted = fit(model, TrainingTask(posts.filter(~pl.col("new")), None, seen, 0)).model
        new = posts.filter("new")
        top = top_tags(fitted.scores(new, seen), 1)[:, 0]
        right[interaction] = np.mean([fitted.tags[tag] == own for tag, (own,) in zip(top, new["tags"], strict=True)])
    assert right[False] <= 0.75 < right[True] == 1


def test_another_seed_gives_other_parameters():
    posts, _, features = checkerboard()
    training = TRAINING.model_copy(update={"epochs": 1})
    first, second = (
        fit(complete(config(FACTORISATIONS[0]), training), TrainingTask(posts, None, features, seed)) for seed in (0, 1)
    )
    assert not np.array_equal(first.model.tensors["tag"], second.model.tensors["tag"])


@pytest.mark.parametrize("model", FACTORISATIONS, ids=name)
def test_the_curve_tells_how_training_went(model):
    posts, _, features = checkerboard(model)
    training = TRAINING.model_copy(update={"epochs": 50})
    curve = fit(complete(config(model), training), TrainingTask(posts, None, features, 0)).curve
    assert curve.columns == ["epoch", "loss", "auc", "f1@5", "validation_f1@5"]
    assert curve["epoch"].to_list() == [20, 40, 50]
    start = fit(
        complete(config(model), training.model_copy(update={"epochs": 1})), TrainingTask(posts, None, features, 0)
    ).curve
    assert curve["loss"][-1] < 0.3 < start["loss"][0] < 0.75
    assert curve["auc"][-1] > 0.8 > start["auc"][0]
    assert curve["f1@5"][-1] > 0.5


def test_a_model_that_counts_has_no_curve():
    posts, _, features = checkerboard()
    fitted = fit(config({"kind": "popular", "features": "none"}), TrainingTask(posts, None, features, 0))
    assert fitted.curve.columns == ["epoch", "loss", "auc", "f1@5", "validation_f1@5"]
    assert fitted.curve.is_empty()


def test_a_models_own_settings_come_first_and_are_kept_with_it():
    posts, _, features = checkerboard()
    model = config({"kind": "fm", "features": "none", "training": {"factors": 5, "epochs": 2}})
    fitted = fit(complete(model, TRAINING), TrainingTask(posts, None, features, 0)).model
    assert fitted.tensors["user"].shape == (12, 5)
    assert fitted.config.training.model_dump() == TRAINING.model_dump() | {"factors": 5, "epochs": 2}


def test_a_post_with_every_tag_is_skipped_and_counted():
    posts = pl.DataFrame({"user": ["a", "b", "b"], "photo": ["1", "2", "3"], "tags": [["x", "y"], ["x"], ["x"]]})
    nothing = Features(posts["photo"], {})
    fitted = fit(complete(config(FACTORISATIONS[0]), TRAINING), TrainingTask(posts, None, nothing, 0))
    assert fitted.skipped == 1
    assert fitted.model.tags == ["x", "y"]
    with pytest.raises(InputError, match="Every training post has every tag"):
        fit(complete(config(FACTORISATIONS[0]), TRAINING), TrainingTask(posts[:1], None, nothing, 0))


@pytest.mark.parametrize("model", FACTORISATIONS, ids=name)
def test_training_that_diverges_names_the_setting(model):
    posts, _, features = checkerboard(model)
    training = TRAINING.model_copy(update={"optimizer": "sgd", "learning_rate": 1e9})
    with pytest.raises(SettingError, match=r"training\.learning_rate is 1000000000\.0 .* finite in epoch \d+"):
        fit(complete(config(model), training), TrainingTask(posts, None, features, 0))


@pytest.mark.parametrize("setting", ["l2", "sigma"])
@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_a_setting_that_is_far_too_large_is_blamed_in_place_of_the_rate(setting, optimizer):
    posts, _, features = checkerboard()
    training = TRAINING.model_copy(update={"optimizer": optimizer, setting: 1e20})
    with pytest.raises(SettingError, match=rf"{setting} is 1e\+20 .* finite in epoch 1: choose a smaller value"):
        fit(complete(config(FACTORISATIONS[0]), training), TrainingTask(posts, None, features, 0))
