"""Files of models: what they keep, and what is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from pipeline.errors import ArtifactError
from pipeline.features.scaling import Scaling
from pipeline.features.store import Features
from pipeline.models.model import ExtractorNote
from pipeline.models.object_names import ObjectNames, ObjectNamesConfig
from pipeline.models.registry import load, save

ROOT = Path(__file__).parents[2]


def test_names_in_any_script_and_notes_of_extractors_come_back(tmp_path):
    posts = pl.DataFrame({"user": ["ann", "bob"], "photo": ["p", "q"], "tags": [["straße", "海"], ["sky"]]})
    features = Features(
        posts["photo"],
        {"objects": np.eye(2, dtype=np.float32)},
        {"objects": Scaling("l2", 0.5, [], [])},
        {"objects": {"classes": ["straße", "sky"], "network": "yolo"}},
    )
    model = ObjectNames.fit(ObjectNamesConfig(kind="object-names", features="objects"), posts, features)
    save(model, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.tags == ["sky", "straße", "海"]
    assert again.extractors == {"objects": ExtractorNote(features.records["objects"], features.scalings["objects"])}


def test_equal_models_have_equal_bytes_in_every_process(tmp_path):
    script = """
        import sys
        from pathlib import Path
        from pipeline.models.registry import save
        from tests.support.models import on_checkerboard
        save(on_checkerboard("co-occurrence", "none"), Path(sys.argv[1]))
    """
    for name in ("first", "second"):
        command = [sys.executable, "-c", dedent(script), tmp_path / name]
        subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": "."}, check=True)
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
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
