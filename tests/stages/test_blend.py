"""A blend from what the stages before it wrote: weights, the model, and its repeats from other seeds."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from pipeline.data.schema import FOLD, PHOTO
from pipeline.features.store import build_store, read_store
from pipeline.files.parquet import read_parquet, write_parquet
from pipeline.files.texts import write_sealed_json
from pipeline.models.lambdarank import TREES
from pipeline.models.registry import load as load_model
from pipeline.models.registry import save
from pipeline.recommend.bundle import Bundle
from pipeline.recommend.network import PhotoVectors
from pipeline.recommend.recommender import Recommender
from pipeline.training.tune import ChosenSettings
from project.params import Params, load
from stages import blend, bundle, calibrate, evaluate
from tests.support.checkerboard import checkerboard
from tests.support.models import fitted

ROOT = Path(__file__).parents[2]
TRAIN, TEST, FEATURES = checkerboard()


def params_with(text: str) -> Params:
    """The project's parameters with two models, and blends."""
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    models, blends, report = (lines.index(next(filter(lambda line: line.startswith(key), lines))) for key in KEYS)
    del blends
    own = ["models:", "  recency: {kind: recency, features: none, fading: 1.0, personal: 0.8}"]
    own += ["  fm: {kind: fm, features: none}", "blends:", f"  mix: {text}"]
    Path("params.yaml").write_text("\n".join([*lines[:models], *own, *lines[report:]]), encoding="utf-8")
    return load(Path("params.yaml"))


KEYS = ("models:", "blends:", "report:")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with the artifacts of two models, one of them trained from two seeds."""
    monkeypatch.chdir(tmp_path)
    params = params_with("{kind: blend, features: none, models: all}")
    paths, validation = params.paths, TRAIN[::5]
    for path, posts in ((paths.train, TRAIN), (paths.validation, validation.with_columns(pl.lit(0).alias(FOLD)))):
        write_parquet(posts, path)
    photos = pl.concat([TRAIN, TEST])[PHOTO]
    write_parquet(build_store({}, {}, photos, TRAIN[PHOTO], params.store), paths.store("none"))
    rest = TRAIN.join(validation, on=["user", "photo"], how="anti", maintain_order="left")
    for name, seeds in (("recency", []), ("fm", [1])):
        save(fitted(name, "none", rest, FEATURES), paths.held_out_model(name, 0))
        save(fitted(name, "none", TRAIN, FEATURES), paths.model(name))
        write_sealed_json({"seeds": seeds}, paths.repeat_seeds(name))
        for seed in seeds:
            save(fitted(name, "none", TRAIN, FEATURES), paths.repeat(name, seed))
        ChosenSettings(params.model(name), None, 0.1, blend.Measure.parse(params.tuning.measure)).write(
            paths.settings(name)
        )
    return tmp_path


def test_a_blend_is_written_with_its_weights_and_its_repeats(folder):
    params = load(folder / "params.yaml")
    line = blend.main(params, "mix")
    chosen, made = ChosenSettings.read(params.paths.settings("mix")), load_model(params.paths.model("mix"))
    assert set(chosen.config.models) <= {"recency", "fm"}
    assert chosen.config == made.config
    assert f"F1@5 {chosen.score:.4f} on 24 validation posts, too few to tell models apart, " in line
    parts = {name: load_model(params.paths.model(name)) for name in chosen.config.models}
    scores = [part.scores(TEST, FEATURES).astype(float) for part in parts.values()]
    deviations = [(each - each.mean(1, keepdims=True)) / each.std(1, keepdims=True) for each in scores]
    expected = sum(
        weight * np.sign(each) * np.log1p(np.abs(each))
        for weight, each in zip(chosen.config.models.values(), deviations, strict=True)
    )
    np.testing.assert_allclose(made.scores(TEST, FEATURES), expected, atol=1e-5)
    if "fm" in parts:
        assert params.paths.repeat("mix", 1).exists()


@pytest.mark.usefixtures("folder")
def test_weights_that_are_given_are_taken():
    params = params_with("{kind: blend, features: none, models: {recency: 1.0, fm: 0.5}}")
    assert blend.main(params, "mix").endswith("1 recency, 0.5 fm")
    assert params.paths.repeat("mix", 1).exists()
    assert ChosenSettings.read(params.paths.settings("mix")).score > 0


@pytest.mark.usefixtures("folder")
def test_its_held_out_model_is_made_of_held_out_models():
    params = params_with("{kind: blend, features: none, models: {recency: 1.0, fm: 0.5}}")
    blend.main(params, "mix")
    validation, features = read_parquet(params.paths.validation), read_store(*params.paths.stored("none"))
    (held_out,), part = calibrate.held_out(params, "mix", validation, features)
    assert part.to_list() == [0] * len(validation)
    recency = load_model(params.paths.held_out_model("recency", 0))
    np.testing.assert_array_equal(held_out.components["recency"].scores(TEST, FEATURES), recency.scores(TEST, FEATURES))


RANKED = "{kind: lambdarank, features: none, models: {recency: 1.0}, trees: 20}"


@pytest.fixture
def ranked(folder: Path) -> Params:
    """The parameters of a blend with trees that was made, in the same folder."""
    shutil.copy(ROOT / "LICENSE", folder)
    params = params_with(RANKED)
    write_parquet(TEST, params.paths.test)
    write_parquet(TEST.clear(), params.paths.new_users)
    line = blend.main(params, "mix")
    assert re.search(r"^blend mix: F1@5 0\.\d+ on 24 validation posts, .*, 1 recency, \d+ trees$", line)
    return params


def test_trees_are_kept_with_the_blend_and_measured(ranked):
    made = load_model(ranked.paths.model("mix"))
    assert 0 < len(made.tensors["tree_leaf"]) <= 20
    assert 0 < ChosenSettings.read(ranked.paths.settings("mix")).score <= 1
    assert "over 12 test posts" in evaluate.main(ranked, "mix")


def test_probabilities_come_from_trees_that_have_not_learnt_from_a_post(ranked):
    validation, features = read_parquet(ranked.paths.validation), read_store(*ranked.paths.stored("none"))
    models, part = calibrate.held_out(ranked, "mix", validation, features)
    assert len(models) == 5
    assert sorted(part.unique()) == [0, 1, 2, 3, 4]
    kept = load_model(ranked.paths.model("mix")).tensors["tree_leaf"]
    assert not any(np.array_equal(model.tensors["tree_leaf"], kept) for model in models)
    assert calibrate.main(ranked) == "calibrate: mix, on 24 validation posts"


def test_a_bundle_has_its_trees_and_needs_no_lightgbm(ranked, monkeypatch):
    calibrate.main(ranked)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    bundle.main(ranked)
    kept = load_model(ranked.paths.model("mix")).tensors
    with Recommender.load(ranked.paths.bundle) as recommender:
        ((first, *_),) = recommender.rank([PhotoVectors("new", {})], "u00")
        assert sum(reason.score for reason in first.why) == pytest.approx(first.score)
        assert TREES in {reason.part for reason in first.why}
    packed = Bundle.read(ranked.paths.bundle).model.tensors
    assert all(np.array_equal(packed[name], kept[name]) for name in kept)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{kind: blend, features: none, models: [fm, gone]}", "blends.mix.models has 'gone'; each must be one of"),
        ("{kind: blend, features: sound, models: all}", "blends.mix.features is 'sound'"),
    ],
)
def test_what_cannot_be_blended_is_named(tmp_path, monkeypatch, text, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((Exception, ValidationError)) as error:
        params_with(text)
    assert words in str(error.value)
