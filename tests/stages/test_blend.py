"""A blend from what the stages before it wrote: weights, the model, and its repeats from other seeds."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from pipeline.data.schema import FOLD, PHOTO
from pipeline.features.store import build_store
from pipeline.files.parquet import write_parquet
from pipeline.files.texts import write_sealed_json
from pipeline.models.registry import load as load_model
from pipeline.models.registry import save
from pipeline.training.tune import ChosenSettings
from project.params import Params, load
from stages import blend, calibrate
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
    held_out = calibrate.held_out(params, "mix")
    part = load_model(params.paths.held_out_model("recency", 0))
    np.testing.assert_array_equal(held_out.components["recency"].scores(TEST, FEATURES), part.scores(TEST, FEATURES))


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
