"""A small project with its results, for tests that break it on purpose."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.support.small_project import Project, Runner, build


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Iterator[Project]:
    """The project, made once for all processes of pytest; tests run in copies of it."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "small-project"
    runner = Runner()
    try:
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                try:
                    build(folder, runner)
                except BaseException:
                    shutil.rmtree(folder, ignore_errors=True)
                    raise
        yield Project(folder, runner)
    finally:
        runner.close()


@pytest.fixture
def place(tmp_path) -> Path:
    """The folder where copies of the project are made."""
    return tmp_path / "copy"
