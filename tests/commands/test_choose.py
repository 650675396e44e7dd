"""`make nus-wide-1` and its like set what they say, and touch nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands.choose import choices, choose
from pipeline.errors import InputError
from pipeline.files.seal import sha256
from project.params import load
from tests.support.sample_params import SAMPLE_PARAMS as TEXT

ROOT = Path(__file__).parents[2]
PAPERS = ["nus-wide-1", "nus-wide-2"]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tagrec", "choose", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return file


@pytest.mark.parametrize("choice", PAPERS)
def test_the_papers_data_with_trained_weights(choice, file):
    other = TEXT.replace("backbone: vgg16\n", "backbone: resnet18\n")
    assert other != TEXT
    file.write_text(choose(other, choice)[0], encoding="utf-8")
    params = load(file)
    assert (params.source, params.recipe) == ("nus-wide", choice)
    image, objects = params.extractors["image"], params.extractors["objects"]
    assert (image.backbone, image.weights.kind) == ("vgg16", "imagenet")
    assert (objects.kind, objects.detector, objects.sha256) == ("yolov2", "yolov2", None)


def test_the_sample_with_its_own_detector(file):
    params = load(file)
    assert (params.source, params.recipe) == ("sample", "sample")
    image, objects = params.extractors["image"], params.extractors["objects"]
    assert (image.backbone, image.weights.kind) == ("vgg16", "seeded")
    assert objects.sha256 == sha256(ROOT / objects.detector)


@pytest.mark.parametrize("choice", PAPERS)
def test_only_the_lines_meant_change_and_twice_is_once(choice):
    changed, values = choose(TEXT, choice)
    assert choose(changed, choice) == (changed, {})
    pairs = [(old, new) for old, new in zip(TEXT.splitlines(), changed.splitlines(), strict=True) if old != new]
    assert [old.split(":")[0].strip() for old, _ in pairs] == [
        "source",
        "recipe",
        "weights",
        "kind",
        "detector",
        "sha256",
        "batch",
    ]
    assert list(values) == [
        "source",
        "recipe",
        "extractors.image.weights.kind",
        "extractors.objects.kind",
        "extractors.objects.detector",
        "extractors.objects.sha256",
        "training.batch",
    ]
    assert [old.partition("#")[2] for old, _ in pairs] == [new.partition("#")[2] for _, new in pairs]
    assert [old.find("#") for old, _ in pairs] == [new.find("#") for _, new in pairs]


@pytest.mark.parametrize("choice", PAPERS)
def test_the_sample_comes_back_to_the_byte(choice):
    assert choose(choose(TEXT, choice)[0], "sample")[0] == TEXT


def test_the_command_says_what_it_changed_and_leaves_one_file(file):
    first, again = (run("nus-wide-2", "--params", file) for _ in range(2))
    assert first.returncode == again.returncode == 0
    assert first.stdout.startswith(
        f"{file}: source: nus-wide, recipe: nus-wide-2, extractors.image.weights.kind: imagenet, "
    )
    assert again.stdout == f"{file}: nus-wide-2 is chosen already\n"
    back = run("sample", "--params", file)
    assert len(back.stdout.splitlines()) == 1
    assert file.read_text(encoding="utf-8") == TEXT
    assert list(file.parent.iterdir()) == [file]


def test_a_file_without_the_keys_is_one_sentence(file):
    text = "source: sample\nrecipe: sample\nextractors: {image: {kind: torchvision}}\n"
    with pytest.raises(InputError, match=r"extractors\.image\.backbone"):
        choose(text, "nus-wide-1")
    file.write_text(text, encoding="utf-8")
    wrong = [["nus-wide-1", "--params", file], ["sample", "--params", "absent.yaml"], ["nus-wide-3", "--params", file]]
    for arguments in wrong:
        done = run(*arguments)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("choice", choices())
def test_make_chooses_then_runs_as_repro_does(choice):
    shown = subprocess.run(["make", "-n", choice], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown.index(f"tagrec choose {choice}") < shown.index("scripts.repro report") < shown.index("tagrec results")
