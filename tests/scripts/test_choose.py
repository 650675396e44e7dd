"""`make nus-wide-1` and its like set what they say, and touch nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import InputError
from scripts.choose import CHOICES, choose
from stages.params import load

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("choice", ["nus-wide-1", "nus-wide-2"])
def test_the_papers_data_with_trained_weights(choice, tmp_path):
    (tmp_path / "params.yaml").write_text(choose(TEXT, choice), encoding="utf-8")
    params = load(tmp_path / "params.yaml")
    assert (params.source, params.recipe) == ("nus-wide", choice)
    assert (params.image.backbone, params.image.weights.kind) == ("vgg16", "imagenet")
    assert params.objects.detector == "yolov8n.pt"
    assert params.objects.sha256.startswith("f59b3d83")


@pytest.mark.parametrize("choice", CHOICES)
def test_only_the_lines_meant_change_and_twice_is_once(choice):
    changed = choose(TEXT, choice)
    assert choose(changed, choice) == changed
    pairs = zip(TEXT.splitlines(), changed.splitlines(), strict=True)
    different = [old.split(":")[0].strip() for old, new in pairs if old != new]
    assert different == ([] if choice == "sample" else ["source", "recipe", "weights", "detector", "sha256"])


def test_the_sample_comes_back_to_the_byte():
    for choice in CHOICES:
        assert choose(choose(TEXT, choice), "sample") == TEXT


def test_a_file_without_the_keys_is_one_sentence():
    with pytest.raises(InputError, match=r"image\.weights"):
        choose("source: sample\nrecipe: sample\nimage: {weights: 1}\n", "nus-wide-1")
    for arguments in (["nus-wide-3"], ["sample", "--params", "absent.yaml"]):
        command = [sys.executable, "-m", "scripts.choose", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("choice", CHOICES)
def test_make_chooses_then_runs_as_repro_does(choice):
    shown = subprocess.run(["make", "-n", choice], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown.index(f"scripts.choose {choice}") < shown.index("dvc repro report") < shown.index("stages.results")
