"""`tagrec`: a subcommand for each file in `commands/`, and nothing else in other people's environments."""

import ast
import os
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(file for file in (ROOT / "commands").glob("*.py") if file.name != "__init__.py")


def run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "200"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)


def test_help_lists_each_command_by_its_first_line_and_imports_none(tmp_path):
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
sys.argv = ["tagrec", "--help"]
import tagrec
try:
    tagrec.main()
finally:
    assert not {{"polars", "pydantic", "torch", "project"}} & set(sys.modules)
"""
    done = run("-c", code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for file in COMMANDS:
        summary = ast.get_docstring(ast.parse(file.read_text())).splitlines()[0]
        assert f" {file.stem} " in done.stdout
        assert summary in done.stdout


@pytest.mark.parametrize("name", [file.stem for file in COMMANDS])
def test_a_command_shows_its_own_help_in_any_folder(tmp_path, name):
    done = run(ROOT / "tagrec.py", name, "--help", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"tagrec {name}" in done.stdout
    assert "--debug" in done.stdout


def test_arguments_reach_the_command(tmp_path):
    (tmp_path / "data/sample").mkdir(parents=True)
    done = run(ROOT / "tagrec.py", "check", "--params", ROOT / "params.yaml", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("params.yaml is valid")


def test_an_unknown_command_is_refused(tmp_path):
    done = run(ROOT / "tagrec.py", "chek", folder=tmp_path)
    assert done.returncode == 2
    assert "No such command 'chek'" in done.stderr


def test_an_installation_that_is_not_editable_runs_in_a_checkout(tmp_path):
    shutil.copy(ROOT / "tagrec.py", tmp_path)
    assert run(tmp_path / "tagrec.py", "check", folder=ROOT).stdout.startswith("params.yaml is valid")
    done = run("tagrec.py", "check", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: tagrec runs from its checkout")
    assert len(done.stderr.splitlines()) == 1


def test_an_installation_adds_one_name():
    """The names of the folders (pipeline, stages, project, commands) stay free for others in the same environment."""
    assert distribution("image-tag-recommendation").read_text("top_level.txt").split() == ["tagrec"]
