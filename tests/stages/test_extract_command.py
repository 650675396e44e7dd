"""`tagrec prefetch`: one pass over the photos, after which the extraction stages find all ready."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipeline.data.photo import prepare
from pipeline.data.shards import pack
from pipeline.features.record import read_record
from pipeline.files.parquet import write_parquet
from stages.extract import app

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with five photos, packed and assigned, and parameters of small networks."""

    def picture(name: str) -> bytes:
        buffer = io.BytesIO()
        pixels = np.random.default_rng(int(name[1:])).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((80, 60)).save(buffer, "JPEG")
        return buffer.getvalue()

    names = [f"p{number}" for number in range(5)]
    artifacts = tmp_path / "artifacts" / "sample"
    pack(names, lambda name: prepare(name, picture(name)), artifacts / "photos", tmp_path / "packing", "test")
    assignments = pl.DataFrame({"user": ["u"] * 5, "photo": names, "tag": ["t"] * 5})
    write_parquet(assignments, artifacts / "sample" / "assignments.parquet")
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text())
    extractors = params["extractors"]
    extractors["image"] |= {"backbone": "squeezenet1_1", "input_size": 64}
    extractors["objects"] |= {"detector": str(ROOT / extractors["objects"]["detector"]), "input_size": 64}
    yaml.dump(params, tmp_path / "params.yaml")
    return tmp_path


def run(
    folder: Path, *arguments: str, device: str = "cpu", check: bool = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    command = [sys.executable, "-m", *arguments, "--device", device]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=environment, timeout=120, check=check
    )


def test_one_pass_leaves_the_stages_nothing_to_compute(project: Path):
    done = run(project, "tagrec", "prefetch", "--workers", "1")
    assert done.stdout.startswith("prefetch: 5 photos, squeezenet1_1 (seeded weights) on cpu and detector.pt")
    assert "Computed 5 photos at " in done.stderr
    for kind, dimension in (("image", 512), ("objects", 80)):
        done = run(project, "stages.extract", kind)
        assert done.stdout.startswith(f"extract {kind}: 5 photos × {dimension} numbers")
        assert "Computed" not in done.stderr
        features = project / "artifacts" / "sample" / "sample" / "features" / f"{kind}.parquet"
        assert pl.read_parquet(features)["vector"].dtype == pl.Array(pl.Float32, dimension)
        assert read_record(features)["precision"] == "float32"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--address", "head:6379"), "--address is for --engine ray: leave it out, or choose that engine."),
        (
            ("--workers", "2", "--engine", "ray"),
            "--workers is for --engine local: leave it out, or choose that engine.",
        ),
    ],
)
def test_an_option_without_effect_is_refused(project: Path, arguments: tuple[str, ...], sentence: str, monkeypatch):
    monkeypatch.chdir(project)
    done = CliRunner().invoke(app, ["image", *arguments])
    assert (done.exit_code, done.stderr) == (1, f"Error: {sentence}\n")


def test_a_setting_that_cannot_be_used_is_named_by_its_key(project: Path, monkeypatch):
    yaml = YAML()
    params = yaml.load((project / "params.yaml").read_text())
    params["extractors"]["image"]["backbone"] = "vgg61"
    yaml.dump(params, project / "params.yaml")
    monkeypatch.chdir(project)
    done = CliRunner().invoke(app, ["image", "--device", "cpu"])
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith("Error: extractors.image.backbone is 'vgg61'")
    assert "Traceback" not in done.stderr


def test_the_decoder_is_in_the_record(project: Path, monkeypatch):
    yaml = YAML()
    params = yaml.load((project / "params.yaml").read_text())
    params["decode"] = "torchvision"
    yaml.dump(params, project / "params.yaml")
    monkeypatch.chdir(project)
    assert CliRunner().invoke(app, ["image", "--device", "cpu", "--workers", "0"]).exit_code == 0
    assert read_record(project / "artifacts/sample/sample/features/image.parquet")["decoder"] == "torchvision"


def test_a_gpu_that_is_not_there_is_a_sentence_with_the_option(project: Path):
    done = run(project, "stages.extract", "image", device="cuda", check=False, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: PyTorch finds no GPU of the kind 'cuda'")
    assert done.stderr.endswith(" Choose another --device.\n")


def test_but_in_the_environment_it_may_stand_for_others(project: Path, monkeypatch, caplog):
    monkeypatch.chdir(project)
    done = CliRunner().invoke(app, ["image", "--device", "cpu"], env={"RAY_ADDRESS": "head:6379"})
    assert done.exit_code == 0
    assert "Computed 5 photos" in caplog.text


def test_another_runtime_is_named_in_the_closing_line_and_in_the_record(project: Path, monkeypatch):
    pytest.importorskip("onnxruntime")
    yaml = YAML()
    params = yaml.load((project / "params.yaml").read_text())
    params["extractors"]["image"]["runtime"] = "onnx"
    yaml.dump(params, project / "params.yaml")
    monkeypatch.chdir(project)
    done = CliRunner().invoke(app, ["image", "--device", "cpu", "--workers", "0"])
    assert " squeezenet1_1 (seeded weights) on cpu, by onnx (" in done.stdout
    assert read_record(project / "artifacts/sample/sample/features/image.parquet")["runtime"] == "onnx"


def with_places(project: Path, **columns: list) -> list[str]:
    """Adds the extractor of places, and posts with such columns; returns the arguments of its stage."""
    yaml, path = YAML(), project / "params.yaml"
    params = yaml.load(path)
    params["extractors"]["place"] = {"kind": "place", "scales": [1000.0]}
    yaml.dump(params, path)
    posts = pl.DataFrame({"user": ["u"] * 5, "photo": [f"p{number}" for number in range(5)]} | columns)
    write_parquet(posts, project / "artifacts/sample/posts.parquet")
    return ["stages.extract", "place"]


def test_places_come_from_the_posts(project: Path):
    degrees = [51.0, 51.0, 48.0, 12.5, None]
    done = run(project, *with_places(project, latitude=degrees, longitude=degrees))
    assert done.stdout.startswith("extract place: 5 photos × 128 numbers, place (")
    assert "1 of 5 photos have no place." in done.stderr
    vectors = pl.read_parquet(project / "artifacts/sample/sample/features/place.parquet")["vector"].to_list()
    assert vectors[0] == vectors[1] != vectors[2]
    assert not any(vectors[4])


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({}, "The source gives no places: set where it has them (tagrec check says how), or leave this extractor out."),
        (
            {"latitude": [None] * 5, "longitude": [None] * 5},
            "No photo of the recipe has a place: leave this extractor out.",
        ),
    ],
)
def test_a_source_without_places_is_a_sentence(project: Path, columns: dict[str, list], sentence: str):
    typed = {name: pl.Series(values, dtype=pl.Float64) for name, values in columns.items()}
    done = run(project, *with_places(project, **typed), check=False)
    assert done.returncode == 1
    assert sentence in done.stderr
