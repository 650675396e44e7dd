"""Files of models: what goes in comes out, and equal models have equal bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from pipeline.errors import ArtifactError
from pipeline.features.scaling import Scaling
from pipeline.features.store import Features
from pipeline.models.co_occurrence import CoOccurrence, CoOccurrenceConfig
from pipeline.models.factorisation import Factorisation, FactorisationConfig
from pipeline.models.neighbours import Neighbours, NeighboursConfig
from pipeline.models.object_names import ObjectNames, ObjectNamesConfig
from pipeline.models.popular import Popular, PopularConfig, UserPopular, UserPopularConfig
from pipeline.models.registry import MODELS, load, save
from pipeline.models.settings import TrainingOverrides

POSTS = pl.DataFrame({"user": ["ann", "bob"], "photo": ["p", "q"], "tags": [["straße", "海"], ["sky"]]})
FEATURES = Features(
    POSTS["photo"],
    {"objects": np.eye(2, dtype=np.float32)},
    {"objects": Scaling("l2", 0.5, [], [])},
    {"objects": {"classes": ["straße", "sky"]}},
)


def pitf():
    rng = np.random.default_rng(0)
    config = FactorisationConfig(kind="pitf", features="none", training=TrainingOverrides(l2=0.1))
    shapes = {"user": (2, 4), "photo": (2, 4), "tag": (3, 8)}
    names = {"user": ["ann", "bob"], "photo": ["p", "q"], "tag": ["sky", "straße", "海"]}
    return Factorisation(config, names, {name: rng.normal(size=shape).astype("f4") for name, shape in shapes.items()})


EXAMPLES = {
    "pitf": pitf,
    "popular": lambda: Popular.fit(PopularConfig(kind="popular", features="none"), POSTS, FEATURES),
    "user-popular": lambda: UserPopular.fit(UserPopularConfig(kind="user-popular", features="none"), POSTS, FEATURES),
    "co-occurrence": lambda: CoOccurrence.fit(
        CoOccurrenceConfig(kind="co-occurrence", features="none", personal=0.5), POSTS, FEATURES
    ),
    "neighbours": lambda: Neighbours.fit(
        NeighboursConfig(kind="neighbours", features="image", neighbours=1), POSTS, FEATURES
    ),
    "object-names": lambda: ObjectNames.fit(
        ObjectNamesConfig(kind="object-names", features="objects"), POSTS, FEATURES
    ),
}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_model_comes_back_as_it_was(tmp_path, kind):
    model = EXAMPLES[kind]()
    save(model, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert type(again) is MODELS[kind]
    assert again.config == model.config
    assert again.names == model.names
    assert again.extractors == model.extractors
    np.testing.assert_array_equal(again.scores(POSTS, FEATURES), model.scores(POSTS, FEATURES))


def test_equal_models_have_equal_bytes_in_every_process(tmp_path):
    root = Path(__file__).parents[2]
    script = "from pathlib import Path; from test_registry import *; save(pitf(), Path('{}'))"
    for name in ("first", "second"):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(Path(__file__).parent)])}
        subprocess.run([sys.executable, "-c", script.format(tmp_path / name)], env=environment, check=True)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"nothing\.safetensors does not exist"):
        load(tmp_path / "nothing.safetensors")


NOTES = {"config": {"kind": "popular", "features": "none"}, "names": {"tag": ["sea"]}, "extractors": {}}


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"model": "{"},
        {"model": "[]"},
        {"model": "{}"},
        {"model": json.dumps(NOTES | {"config": {"kind": "unheard of", "features": "none"}})},
        {"model": json.dumps(NOTES | {"config": {"kind": "popular"}})},
        {"model": json.dumps(NOTES | {"extractors": {"image": 3}})},
        {"model": json.dumps(NOTES | {"extractors": []})},
    ],
)
def test_weights_that_are_no_model_are_refused(tmp_path, metadata):
    save_file({"counts": np.zeros(1)}, tmp_path / "weights", metadata)
    with pytest.raises(ArtifactError, match="weights is not a model file"):
        load(tmp_path / "weights")


def test_a_file_that_is_not_safetensors_is_refused(tmp_path):
    (tmp_path / "text").write_text("no model")
    with pytest.raises(ArtifactError, match="text is not a model file"):
        load(tmp_path / "text")


def test_every_model_loads_without_torch():
    script = "import sys, pipeline.models.registry, pipeline.evaluation.curves; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=True)
