"""Bundles with files damaged or replaced, and manifests changed in any place: read, or one sentence."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.files.texts import read_sealed_json, write_sealed_json
from pipeline.recommend.bundle import HASHED_FILES, Bundle, hash_of
from pipeline.recommend.manifest import MANIFEST
from tests.support.bundles import world, write_bundle
from tests.support.fuzzing import damaged, fuzz, sentence_of
from tests.support.hostile import JSON, places, replaced

WRITABLE = JSON.filter(lambda value: "\\ud" not in json.dumps(value))
"""JSON without lone surrogates, which UTF-8 cannot encode."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A bundle."""
    return write_bundle(tmp_path_factory.mktemp("bundle") / "whole", world())


def linked(folder: Path, to: Path) -> Path:
    """Makes a copy of a folder whose files are links, to be replaced and not written to."""
    for path in folder.rglob("*"):
        if path.is_file():
            (to / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            os.link(path, to / path.relative_to(folder))
    return to


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def use(folder: Path) -> None:
    """Reads a bundle with its networks."""
    Bundle.read(folder).networks("cpu")


@fuzz(6)
@given(data=st.data(), sealed=st.booleans())
def test_a_bundle_with_a_damaged_file_is_read_or_refused(tmp_path_factory, whole, data, sealed):
    """sealed: the manifest has the hash of the damaged file."""
    folder = linked(whole, tmp_path_factory.mktemp("copy"))
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    name = data.draw(st.sampled_from(files))
    replace(folder / name, data.draw(damaged((folder / name).read_bytes())))
    if sealed and name in HASHED_FILES:
        manifest = read_sealed_json(folder / MANIFEST)
        (folder / MANIFEST).unlink()
        write_sealed_json(replaced(manifest, ("files", name), hash_of(folder / name)), folder / MANIFEST)
    sentence_of(lambda: use(folder), quoting=True)


@fuzz(10)
@given(data=st.data())
def test_a_changed_manifest_is_read_or_refused(tmp_path_factory, whole, data):
    folder = linked(whole, tmp_path_factory.mktemp("copy"))
    manifest = read_sealed_json(folder / MANIFEST)
    place = data.draw(st.sampled_from([place for place in places(manifest) if place]))
    changed = replaced(manifest, place, data.draw(WRITABLE))
    (folder / MANIFEST).unlink()
    write_sealed_json(changed, folder / MANIFEST)
    sentence_of(lambda: use(folder), quoting=True)
