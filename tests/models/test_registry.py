"""Files of models: what goes in comes out, and equal models have equal bytes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from pipeline.errors import InputError
from pipeline.features.store import Features
from pipeline.models.config import (
    CooccurrenceConfig,
    FactorisationConfig,
    NeighboursConfig,
    ObjectNamesConfig,
    PopularConfig,
    UserPopularConfig,
)
from pipeline.models.cooccurrence import Cooccurrence
from pipeline.models.factorisation import Factorisation
from pipeline.models.neighbours import Neighbours
from pipeline.models.object_names import ObjectNames
from pipeline.models.popular import Popular, UserPopular
from pipeline.models.registry import MODELS, load, save
from pipeline.training.config import TrainingOverrides

POSTS = pl.DataFrame({"user": ["ann", "bob"], "photo": ["p", "q"], "tags": [["straße", "海"], ["sky"]]})
FEATURES = Features(POSTS["photo"], {"image": np.eye(2, dtype=np.float32), "objects": np.eye(2, 80, dtype=np.float32)})


def pitf():
    rng = np.random.default_rng(0)
    config = FactorisationConfig(kind="pitf", features="none", training=TrainingOverrides(l2=0.1))
    shapes = {"user": (2, 4), "photo": (2, 4), "tag": (3, 8)}
    names = {"users": ["ann", "bob"], "photos": ["p", "q"], "tags": ["sky", "straße", "海"]}
    return Factorisation(config, names, {name: rng.normal(size=shape).astype("f4") for name, shape in shapes.items()})


EXAMPLES = {
    "pitf": pitf,
    "popular": lambda: Popular.fit(PopularConfig(kind="popular", features="none"), POSTS, FEATURES),
    "user_popular": lambda: UserPopular.fit(UserPopularConfig(kind="user_popular", features="none"), POSTS, FEATURES),
    "cooccurrence": lambda: Cooccurrence.fit(
        CooccurrenceConfig(kind="cooccurrence", features="none", personal=0.5), POSTS, FEATURES
    ),
    "neighbours": lambda: Neighbours.fit(
        NeighboursConfig(kind="neighbours", features="image", neighbours=1), POSTS, FEATURES
    ),
    "object_names": lambda: ObjectNames.fit(
        ObjectNamesConfig(kind="object_names", features="objects"), POSTS, FEATURES
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
    np.testing.assert_array_equal(again.scores(POSTS, FEATURES), model.scores(POSTS, FEATURES))


def test_equal_models_have_equal_bytes_in_every_process(tmp_path):
    root = Path(__file__).parents[2]
    script = "from pathlib import Path; from test_registry import *; save(pitf(), Path('{}'))"
    for name in ("first", "second"):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(Path(__file__).parent)])}
        subprocess.run([sys.executable, "-c", script.format(tmp_path / name)], env=environment, check=True)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.safetensors does not exist"):
        load(tmp_path / "nothing.safetensors")


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "text").write_text("no model")
    with pytest.raises(InputError, match="is not a model file"):
        load(tmp_path / "text")
    save_file({"weight": np.zeros(1)}, tmp_path / "weights")
    with pytest.raises(InputError, match="is not a model file"):
        load(tmp_path / "weights")


def test_every_model_loads_without_torch():
    script = "import sys, pipeline.models.registry, pipeline.evaluation.curves; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=True)
