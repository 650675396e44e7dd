"""`tagrec suggest` with a bundle of real networks: the recommender's own suggestions, also after an interruption."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commands import suggest
from pipeline.recommend.recommender import Recommender
from project.formats import FORMATS
from tests.support.bundles import World, world, write_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle"), world())


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """A folder with the photos of a world."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for file in world().files:
        (folder / f"{file.name}.jpg").write_bytes(file.data)
    return folder


def run(photos: Path, bundle: Path, *options: str):
    arguments = [str(photos), "--user", "ann", "--bundle", str(bundle), "--workers", "0", "--format", "jsonl", *options]
    return CliRunner().invoke(suggest.app, arguments)


def test_each_photo_has_the_recommenders_own_suggestions(photos, bundle):
    done = run(photos, bundle)
    assert done.exit_code == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    known: World = world()
    with Recommender.load(bundle) as recommender:
        for line in lines:
            (file,) = [file for file in known.files if file.name == Path(line["photo"]).stem]
            (expected,) = recommender.suggest([file], "ann")
            assert [each["tag"] for each in line["suggestions"]] == [each.tag for each in expected]
            scores = [each["score"] for each in line["suggestions"]]
            assert scores == pytest.approx([each.score for each in expected], abs=1e-4)
    assert len(lines) == len(known.files)


def test_an_interrupted_run_resumes_to_the_same_bytes(photos, bundle, monkeypatch):
    assert run(photos, bundle, "--output", "whole.jsonl").exit_code == 0
    whole = Path("whole.jsonl").read_bytes()
    monkeypatch.chdir(photos)  # Another place, where nothing is kept yet.
    seen = []

    def interrupted(*arguments):
        seen.append(arguments)
        if len(seen) == 18:
            raise KeyboardInterrupt
        return ""

    with monkeypatch.context() as during:
        during.setattr(FORMATS["jsonl"], "photo", interrupted)
        assert run(photos, bundle, "--output", "again.jsonl").exit_code != 0
    assert not Path("again.jsonl").exists()
    assert any(suggest.VECTORS.rglob("*.*"))
    assert run(photos, bundle, "--output", "again.jsonl").exit_code == 0
    assert Path("again.jsonl").read_bytes() == whole


def test_a_folder_that_is_no_bundle_is_one_sentence(photos):
    done = run(photos, photos)
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
