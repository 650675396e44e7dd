"""A checkout for the commands that set parameters."""

from pathlib import Path

import pytest

from tests.support.sample_params import SAMPLE_PARAMS


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A checkout of which only params.yaml is there."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "params.yaml").write_text(SAMPLE_PARAMS, encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder
