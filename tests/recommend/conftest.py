"""A small bundle, written once."""

from pathlib import Path

import pytest

from tests.support.bundles import world, write_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory) -> Path:
    """The folder of a small bundle; tests that change something copy it."""
    return write_bundle(tmp_path_factory.mktemp("bundle"), world())
