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


@pytest.mark.parametrize("arguments", [["--help"], ["suggest", "--help"]])
def test_help_that_cannot_be_written_is_one_sentence(arguments):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, ROOT / "tagrec.py", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "Error: the help cannot be written: No space left on device.\n")


def test_arguments_reach_the_command(tmp_path):
    done = run(ROOT / "tagrec.py", "check", "--params", "mine.yaml", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: mine.yaml ")


def test_garbage_is_collected_once_a_command_is_imported(tmp_path):
    code = f"""
import gc, sys
sys.path.insert(0, {str(ROOT)!r})
sys.argv = ["tagrec", "check", "--params", "mine.yaml"]
import tagrec
try:
    tagrec.main()
finally:
    assert gc.isenabled()
"""
    (line,) = run("-c", code, folder=tmp_path).stderr.splitlines()
    assert line.startswith("Error: mine.yaml ")


def test_the_version_is_that_of_the_installation():
    found = run(ROOT / "tagrec.py", "--version", folder=ROOT)
    assert (found.returncode, found.stdout) == (0, f"tagrec {distribution('image-tag-recommendation').version}\n")


def test_an_unknown_command_is_refused(tmp_path):
    done = run(ROOT / "tagrec.py", "chek", folder=tmp_path)
    assert done.returncode == 2
    assert "No such command 'chek'" in done.stderr


def test_no_commands_are_taken_from_the_current_folder(tmp_path):
    shutil.copy(ROOT / "tagrec.py", tmp_path)
    done = run(tmp_path / "tagrec.py", "check", folder=ROOT)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: tagrec does not find its commands")
    assert len(done.stderr.splitlines()) == 1


def test_an_installation_adds_no_names_but_its_own():
    """The names of the folders (pipeline, stages, project, commands) stay free for others in the same environment."""
    names = distribution("image-tag-recommendation").read_text("top_level.txt").split()
    assert {*names} <= {"image_tag_recommendation", "tagrec"}


def test_a_wheel_runs_without_the_checkout_and_has_no_names_but_the_project_s_own(tmp_path):
    sources, folder = tmp_path / "sources", tmp_path / "installed"
    for name in ("tagrec.py", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        (sources / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, sources)
    for room in ("commands", "pipeline", "project", "stages"):
        shutil.copytree(ROOT / room, sources / room, ignore=shutil.ignore_patterns("__pycache__"))
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, sources]
    done = run(*build, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    shutil.unpack_archive(wheel, folder, "zip")
    assert {path.name for path in folder.iterdir() if path.suffix != ".dist-info"} == {
        "tagrec.py",
        "image_tag_recommendation",
    }
    files = {file.relative_to(ROOT) for file in (ROOT / "pipeline").rglob("*") if file.is_file()}
    files = {file for file in files if "__pycache__" not in file.parts}
    assert files == {
        file.relative_to(folder / "image_tag_recommendation")
        for file in (folder / "image_tag_recommendation/pipeline").rglob("*")
        if file.is_file()
    }
    done = run("-P", folder / "tagrec.py", "suggest", "--help", folder=tmp_path)
    assert done.returncode == 0, done.stderr
