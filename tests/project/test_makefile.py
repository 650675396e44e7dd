"""The Makefile: what it makes, and what it leaves alone."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_an_environment_behind_a_link_is_not_emptied(tmp_path: Path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "kept").touch()
    for name in ("Makefile", "pyproject.toml", "setup.py", "requirements"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(shared)
    done = subprocess.run(["make", "dist"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert ".venv is a link, and what it leads to would be emptied: remove the link." in done.stdout
    assert (shared / "kept").exists()
