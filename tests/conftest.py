"""Fixtures of all tests."""

import os
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import settings

# Before torch is loaded: as in project/command.py.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# The first example of a property may have to compile a loop.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


LONGEST = "test_repro.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest module first: of two processes, neither is idle at the end."""
    items.sort(key=lambda item: item.path.name != LONGEST)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photos, folksonomies and weights named by the environment variable REAL_DATA."""
    folder = os.environ.get("REAL_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("REAL_DATA names no folder of real material")
    return Path(folder)


@pytest.fixture
def deep(tmp_path) -> Iterator[Path]:
    """A folder with 1,500 nested folders, more than Python's recursion limit, and a photo in the innermost."""
    folders = [*accumulate(["d"] * 1500, Path.joinpath, initial=tmp_path)]
    for folder in folders[1:]:
        folder.mkdir()
    (folders[-1] / "photo.jpg").touch()
    yield tmp_path
    (folders[-1] / "photo.jpg").unlink()
    for folder in reversed(folders[1:]):  # pytest's own removal is recursive.
        folder.rmdir()
