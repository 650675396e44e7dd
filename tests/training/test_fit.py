"""What every model must learn: data with a known answer, the same from the same seed."""

import numpy as np
import polars as pl
import pytest

from pipeline.errors import InputError, SettingError
from pipeline.features.store import Features
from pipeline.models.ranking import top_tags
from pipeline.models.registry import save
from pipeline.training.fit import complete, fit
from pipeline.training.task import TrainingTask
from tests.support.checkerboard import (
    BASELINES,
    BLIND,
    CO_OCCURRENCE,
    FACTORISATIONS,
    FEATURE_SETS,
    NEIGHBOURS,
    POPULAR,
    SEEING,
    TAGS,
    TRAINING,
    USER_POPULAR,
    checkerboard,
    config,
    name,
)


@pytest.mark.parametrize("optimizer", ["adagrad", "sgd"])
@pytest.mark.parametrize("model", [*FACTORISATIONS, USER_POPULAR, CO_OCCURRENCE], ids=name)
def test_every_personal_model_learns_who_uses_which_tags(model, optimizer):
    posts, new, features = checkerboard(model)
    training = TRAINING.model_copy(update={"optimizer": optimizer, "epochs": {"adagrad": 60, "sgd": 150}[optimizer]})
    fitted = fit(complete(config(model), training), TrainingTask(posts, None, features, 0))
    top = top_tags(fitted.model.scores(new, features), 6)
    for user, suggested in enumerate(top.tolist()):
        assert {TAGS[tag] for tag in suggested} == set(TAGS[user % 2 :: 2])


def test_popular_cannot():
    posts, new, features = checkerboard()
    top = top_tags(
        fit(complete(config(POPULAR), TRAINING), TrainingTask(posts, None, features, 0)).model.scores(new, features), 6
    )
    assert (top == top[0]).all()


@pytest.mark.parametrize("model", [*SEEING, NEIGHBOURS], ids=name)
def test_every_seeing_model_learns_which_tag_a_photo_has(model):
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 6, 200)
    photos = [f"p{number:03}" for number in range(200)]
    visible = np.eye(6, dtype=np.float32)[classes]
    features = Features(pl.Series(photos), dict.fromkeys(FEATURE_SETS[model["features"]], visible))
    posts = pl.DataFrame(
        {
            "user": [f"u{number % 10}" for number in range(200)],
            "photo": photos,
            "tags": [[TAGS[number]] for number in classes],
        }
    )
    fitted = fit(complete(config(model), TRAINING), TrainingTask(posts[:150], None, features, 0))
    unknown = posts[150:].with_columns(user=pl.lit("nobody"))
    for asked in (posts[150:], unknown):
        assert top_tags(fitted.model.scores(asked, features), 1)[:, 0].tolist() == classes[150:].tolist()


@pytest.mark.parametrize("model", [*BLIND, CO_OCCURRENCE], ids=name)
def test_models_without_features_learn_a_photo_that_several_users_posted(model):
    rows = [
        (f"u{user}", f"p{photo}", [TAGS[photo], TAGS[photo + 6]])
        for user in range(7)
        for photo in range(6)
        if user != photo
    ]
    posts = pl.DataFrame(rows, schema=["user", "photo", "tags"], orient="row")
    asked = pl.DataFrame({"user": [f"u{photo}" for photo in range(6)], "photo": [f"p{photo}" for photo in range(6)]})
    nothing = Features(posts["photo"].unique().sort(), {})
    top = top_tags(
        fit(complete(config(model), TRAINING), TrainingTask(posts, None, nothing, 0)).model.scores(asked, nothing), 2
    )
    assert np.sort(top, axis=1).tolist() == [[photo, photo + 6] for photo in range(6)]


@pytest.mark.parametrize("model", [*FACTORISATIONS, *BASELINES], ids=name)
def test_the_same_seed_gives_the_same_bytes(model, tmp_path):
    posts, _, features = checkerboard(model)
    training = TRAINING.model_copy(update={"epochs": 3})
    files = []
    for run in ("first", "second"):
        fitted = fit(complete(config(model), training), TrainingTask(posts, None, features, 5))
        save(fitted.model, tmp_path / run)
        files.append((tmp_path / run).read_bytes() + fitted.curve.write_csv().encode())
    assert files[0] == files[1]


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
    fitted = fit(complete(config(POPULAR), TRAINING), TrainingTask(posts, None, features, 0))
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
