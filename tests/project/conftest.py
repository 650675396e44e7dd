"""Clones of the project for tests of `dvc repro`."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.support.clone import Clone, build_clone
from tests.support.warm_repro import WarmRepro


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """The folder of a clone that has been run, once for all processes of pytest."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "built"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            try:
                build_clone(folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    return folder


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmRepro]:
    """The process that runs the pipeline in copies of the clone."""
    warm = WarmRepro()
    yield warm
    warm.close()


@pytest.fixture(scope="module")
def clone(built, warm, tmp_path_factory) -> Clone:
    """A clone for the tests of a module, which leave it as it is."""
    return copy(Clone(built, warm), tmp_path_factory.mktemp("clone") / "copy")


@pytest.fixture
def changeable(clone):
    """The clone, whose parameters are put back afterwards."""
    before = (clone.folder / "params.yaml").read_text()
    yield clone
    (clone.folder / "params.yaml").write_text(before)


@pytest.fixture
def unchanged(clone, tmp_path) -> Clone:
    """A copy of the clone, with everything up to date, for a test that changes it."""
    return copy(clone, tmp_path / "copy")


def copy(clone: Clone, to: Path) -> Clone:
    """Copies a clone, which the same process runs."""
    shutil.copytree(clone.folder, to, symlinks=True)
    return Clone(to, clone.warm)
