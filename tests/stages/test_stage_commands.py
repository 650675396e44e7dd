"""The duties of every stage's command: a quick --help, a closing line, one sentence for an error."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from ruamel.yaml import YAML

from pipeline.data.schema import PHOTO, TAG, TAGS, USER
from pipeline.errors import InputError
from pipeline.files.parquet import write_parquet
from project.params import load
from project.paths import Paths

ROOT = Path(__file__).parents[2]
STAGES = sorted(
    file.stem for file in (ROOT / "stages").glob("*.py") if "app = command(main" in file.read_text(encoding="utf-8")
)


def run(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, timeout=60, check=False)


def seconds_of_cpu(code: str) -> float:
    """Runs code in a process of its own. Returns the CPU time that it takes, which other processes do not add to."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.fixture(scope="module")
def bound() -> float:
    """The seconds that a stage's help may take: 1.5, and on a slow machine half as many again as its libraries."""
    libraries = "import numpy, polars, pyarrow.parquet, pydantic, ruamel.yaml, typer, PIL.Image"
    return 1.5 * max(1, min(seconds_of_cpu(libraries) for _ in range(3)))


@pytest.mark.parametrize("stage", STAGES)
def test_help_is_quick_and_imports_no_torch(stage, bound):
    code = f"""
import sys
from stages.{stage} import app
from typer.testing import CliRunner
result = CliRunner().invoke(app, ["--help"])
assert result.exit_code == 0 and "--params" in result.output, result.output
heavy = {{"torch", "torchvision", "ultralytics", "nltk", "numba", "matplotlib", "aiohttp", "psutil"}} & set(sys.modules)
assert not heavy, heavy
"""
    seconds = [seconds_of_cpu(code)]
    while len(seconds) < 3 and seconds[-1] >= bound:  # Neighbours on the same core can slow it down.
        seconds.append(seconds_of_cpu(code))
    assert min(seconds) < bound, (seconds, bound)


def test_the_projects_own_parameters_are_valid():
    done = run("tagrec", "check")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("params.yaml is valid")


def test_a_missing_input_is_named_with_its_remedy(tmp_path):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    done = run("stages.split", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "assignments.parquet does not exist" in line
    assert "dvc repro" in line


def test_posts_with_one_and_the_same_tag_are_refused_before_the_training(tmp_path):
    """T17: nothing could be learned from them."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    photos = [f"{number}.jpg" for number in range(9)]
    paths = Paths("sample", "sample")
    assignments = pl.DataFrame({USER: ["u"] * 9, PHOTO: photos, TAG: ["sea"] * 9})
    write_parquet(assignments, tmp_path / paths.assignments)
    write_parquet(assignments.select(USER, PHOTO, pl.concat_list(TAG).alias(TAGS)), tmp_path / paths.posts)
    done = run("stages.split", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "Error: All posts of the recipe have one and the same tag, 'sea'.\n"


def test_debug_shows_the_traceback(tmp_path):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    done = run("stages.split", "--debug", folder=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_an_unknown_model_is_refused_with_the_choices(tmp_path):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    done = run("stages.evaluate", "fm-sound", folder=tmp_path)
    assert done.returncode == 1
    assert "'fm-sound'" in done.stderr
    assert "fm-ic-od" in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source: [", ["is not YAML"]),
        ("just words", ["no mapping"]),
        ("source: sample\n", ["is missing"]),
    ],
)
def test_a_broken_params_file_is_one_sentence(tmp_path, text, words):
    (tmp_path / "params.yaml").write_text(text)
    done = run("tagrec", "check", folder=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert all(word in line for word in words), line


@pytest.mark.parametrize("name", ["image", "objects"])
def test_no_key_of_the_extractors_has_a_default(tmp_path, name):
    """DVC sees no change of a value that the file leaves out."""
    yaml = YAML(typ="safe", pure=True)
    for key in yaml.load(ROOT / "params.yaml")["extractors"][name].keys() - {"kind"}:
        params = yaml.load(ROOT / "params.yaml")
        del params["extractors"][name][key]
        yaml.dump(params, tmp_path / "params.yaml")
        with pytest.raises(
            InputError, match=rf"params\.yaml: extractors\.{name}\.{key} is missing: give it a value\.$"
        ):
            load(tmp_path / "params.yaml")


def test_without_params_the_file_is_named(tmp_path):
    done = run("tagrec", "check", folder=tmp_path)
    assert done.returncode == 1
    assert "params.yaml does not exist" in done.stderr
