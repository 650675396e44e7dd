"""The new photos that `make try` serves: of the sample's users, and in no sample."""

import shutil
import subprocess
from pathlib import Path

from pipeline.data.photo import prepare
from pipeline.sources.sample.sample import make_sample
from project.params import load
from scripts.render_new_photos import main

ROOT = Path(__file__).parents[2]


def test_the_photos_are_new_and_of_known_users(tmp_path):
    params = load(ROOT / "params.yaml")
    assert main(params, tmp_path / "new").startswith("12 new photos")
    files = sorted((tmp_path / "new").iterdir())
    assert len(files) == 12
    sample = params.sources.sample
    posts = make_sample(4, sample.posts, sample.seed)
    assert {file.stem.rpartition("-")[0] for file in files} <= set(posts.posts["user"])
    first = [photo.jpeg for photo, _ in zip(posts.photos, range(3), strict=False)]
    for file in files:
        assert prepare(file.name, file.read_bytes()).jpeg not in first


def test_they_are_the_same_in_every_run(tmp_path):
    params = load(ROOT / "params.yaml")
    for run in ("first", "second"):
        main(params, tmp_path / run)
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()


def test_a_missing_bundle_is_named_before_anything_is_rendered(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    installed = ".installed-$(pwd | cksum | cut -d ' ' -f 1)"
    done = subprocess.run(
        ["sh", "-c", f"make try -o .venv/{installed}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr.startswith("Error: the sample's bundle is missing: run make repro, or, if params.yaml names")
    assert not (tmp_path / ".work").exists()
