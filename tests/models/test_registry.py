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

from pipeline.errors import ArtifactError, DamagedError
from pipeline.features.scaling import Scaling
from pipeline.features.store import Features
from pipeline.files.parquet import write_parquet
from pipeline.files.tensors import write_tensors
from pipeline.models.model import ExtractorNote
from pipeline.models.object_names import ObjectNames, ObjectNamesConfig
from pipeline.models.registry import gather_tensors, load, notes_of, save
from tests.support.models import on_checkerboard

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
    "notes",
    [
        None,
        [],
        {},
        NOTES | {"config": {"kind": "unheard of", "features": "none"}},
        NOTES | {"config": {"kind": "popular"}},
        NOTES | {"extractors": {"image": 3}},
        NOTES | {"extractors": []},
    ],
)
def test_arrays_that_are_no_model_are_refused(tmp_path, notes):
    write_tensors({"counts": np.zeros(1)}, notes, tmp_path / "arrays")
    with pytest.raises(ArtifactError, match="arrays is damaged, or of another form"):
        load(tmp_path / "arrays")


@pytest.mark.parametrize(("kind", "type_"), [("recency", np.uint64), ("ridge", np.uint32)])
def test_whole_numbers_without_a_sign_are_refused(tmp_path, kind, type_):
    """They would stop suggesting with a traceback."""
    model = on_checkerboard(kind, "none")
    tensors = gather_tensors(model)
    write_tensors(tensors | {"post_tags": tensors["post_tags"].astype(type_)}, notes_of(model), tmp_path / "arrays")
    with pytest.raises(ArtifactError, match=f"post_tags has numbers of the type {np.dtype(type_)}"):
        load(tmp_path / "arrays")


def test_a_file_that_was_not_written_here_is_refused(tmp_path):
    (tmp_path / "text").write_text("no model")
    save_file({"counts": np.zeros(1)}, tmp_path / "weights", {"model": json.dumps(NOTES)})
    for name in ("text", "weights"):
        with pytest.raises(DamagedError, match=f"{name} is damaged, or was written by another version"):
            load(tmp_path / name)


def test_a_table_is_no_model(tmp_path):
    write_parquet(pl.DataFrame({"tag": ["sea"]}), tmp_path / "table")
    with pytest.raises(ArtifactError, match="table does not hold arrays and notes"):
        load(tmp_path / "table")


def test_every_model_loads_without_torch():
    script = "import sys, pipeline.models.registry, pipeline.evaluation.curves; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
