"""Texts that a stage reads have the hashes in dvc.lock, or one sentence names them."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.errors import DamagedError, InputError
from project.command import command
from project.dvc_hashes import check_stage_inputs
from project.params import Params, load

ROOT = Path(__file__).parents[2]
SETTINGS = "artifacts/sample/sample/settings/fm.json"
METRICS = "artifacts/sample/sample/metrics/fm.json"


@pytest.fixture
def params(tmp_path, monkeypatch):
    """The parameters of a folder whose dvc.lock has hashes of texts, and of a folder of models."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    outs = []
    for name in (SETTINGS, METRICS):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text('{"score": 0.5}')
        outs.append({"path": name, "md5": hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()})
    folder = {"path": "artifacts/sample/sample/held_out/fm", "md5": "0" * 32 + ".dir"}
    (tmp_path / folder["path"]).mkdir(parents=True)
    (tmp_path / "dvc.lock").write_text(json.dumps({"stages": {"tune@fm": {"outs": [*outs, folder]}, "clean": {}}}))
    return load(ROOT / "params.yaml")


def change(name: str) -> None:
    Path(name).write_text(Path(name).read_text().replace("0.5", "0.4"))


@pytest.mark.parametrize(("stage", "name"), [("train@fm", SETTINGS), ("calibrate", SETTINGS), ("report", METRICS)])
def test_a_changed_digit_is_named(params, stage, name):
    check_stage_inputs(params, stage)
    change(name)
    with pytest.raises(DamagedError, match=re.escape(name)):
        check_stage_inputs(params, stage)


@pytest.mark.parametrize(("stage", "name"), [("train@pitf", SETTINGS), ("train@fm", METRICS), ("refine", METRICS)])
def test_texts_that_a_stage_does_not_read_are_not_checked(params, stage, name):
    change(name)
    check_stage_inputs(params, stage)


@pytest.mark.parametrize("lock", ["", "stages:", "a: b: c", "<<<<<<< ours\nstages: {}\n", "stages: {a: {outs: [b]}}"])
def test_a_lock_that_is_damaged_is_one_sentence(params, lock):
    Path("dvc.lock").write_text(lock)
    with pytest.raises(InputError, match=r"^dvc\.lock is damaged, .*: restore it from git\.$"):
        check_stage_inputs(params, "train@fm")


def test_a_missing_text_is_left_to_the_stage(params):
    Path(SETTINGS).unlink()
    check_stage_inputs(params, "train@fm")


def test_a_first_run_has_nothing_to_compare(params):
    Path("dvc.lock").unlink()
    check_stage_inputs(params, "train@fm")


@pytest.mark.usefixtures("params")
def test_a_stage_checks_its_texts_when_dvc_runs_it(monkeypatch):
    def main(params: Params) -> str:
        return f"train: {params.source}"

    change(SETTINGS)
    arguments = ["--params", str(ROOT / "params.yaml")]
    assert "not the one in dvc.lock" not in CliRunner().invoke(command(main), arguments).output
    monkeypatch.setenv("DVC_STAGE", "train@fm")
    result = CliRunner().invoke(command(main), arguments)
    assert result.exit_code == 1
    assert "Delete it and run `dvc repro`" in result.output
