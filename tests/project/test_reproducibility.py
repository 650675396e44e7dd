"""A clone of the project writes the same bytes again: from the cache, run twice, after a kill."""

import shutil
import sys
from pathlib import Path

import polars as pl
import pytest

from pipeline.data.photo import PhotoFile
from pipeline.data.shards import read_photos
from pipeline.recommend.recommender import Recommender

pytestmark = pytest.mark.timeout(600)


def test_going_back_restores_from_cache(unchanged):
    before, outputs = (unchanged.folder / "params.yaml").read_text(), unchanged.digests()
    unchanged.set(models__fm__training={"learning_rate": 0.05}, store__threshold=0.3)
    assert {"store@objects", "train@fm"} <= unchanged.repro("evaluate@fm", "store@objects")
    changed = unchanged.digests()
    assert {"models/fm.safetensors", "store/objects.parquet"} <= {
        name for name in outputs if outputs[name] != changed[name]
    }
    (unchanged.folder / "params.yaml").write_text(before)
    assert unchanged.repro() == set()
    assert {"store@objects", "train@fm"} <= unchanged.restored()
    assert unchanged.digests() == outputs


def test_each_stage_run_twice_writes_the_same_bytes(unchanged):
    outputs = unchanged.digests()
    unchanged.run_anew()
    again = unchanged.digests()
    assert outputs.keys() == again.keys()
    assert [name for name in outputs if outputs[name] != again[name]] == []


def test_a_stage_killed_and_run_again_writes_the_same_bytes(clone):
    before = clone.digests()
    work = clone.folder / ".work/features"
    for _ in range(10):
        shutil.rmtree(work)
        if clone.killed("stages.extract image", when=lambda: any(work.glob("*/*.parquet"))):
            break
    else:
        pytest.fail("the stage always ended before it was killed")
    (clone.folder / "artifacts/sample/sample/features/image.parquet").unlink()
    clone.run(sys.executable, "-m", "stages.extract", "image")
    assert clone.digests() == before


def test_a_bundle_of_the_tested_model_suggests_what_was_tested(unchanged):
    unchanged.set(bundle__fit="training", bundle__model="pitf-ic-od")
    assert unchanged.repro("bundle") - {"calibrate"} == {"bundle"}
    source, recipe = unchanged.folder / "artifacts/sample", unchanged.folder / "artifacts/sample/sample"
    expected = pl.read_parquet(recipe / "recommendations/pitf-ic-od.parquet").to_dicts()
    photos = {photo.id: photo.jpeg for photo in read_photos(source / "photos")}
    files = [PhotoFile(post["photo"], photos[post["photo"]]) for post in expected]
    with Recommender.load(recipe / "bundle", "cpu") as recommender:
        assert {"rendered photos", "seeded weights"} <= set(recommender.labels)
        in_batches = list(recommender.vectors(iter(files)))
        for post, file, vectors in zip(expected, files, in_batches, strict=True):
            for (suggestions,) in (
                recommender.rank([vectors], post["user"]),
                recommender.suggest([file], post["user"]),
            ):
                assert [each.tag for each in suggestions] == post["tags"]
                assert [each.score for each in suggestions] == pytest.approx(post["scores"], abs=1e-5)


def test_dvc_brings_the_bundle_by_its_name(clone, tmp_path):
    clone.repro("bundle")
    clone.run("git", "add", "dvc.yaml", "dvc.lock", "params.yaml", ".dvc/config")
    as_someone = ("git", "-c", "user.name=n", "-c", "user.email=e@example.org")
    clone.run(*as_someone, "commit", "--quiet", "--message", "m")
    clone.run(*as_someone, "tag", "--annotate", "recommender@v1.0.0", "--message", "m")
    clone.run("dvc", "artifacts", "get", str(clone.folder), "recommender", "--out", str(tmp_path / "bundle"))
    bundle = clone.folder / "artifacts/sample/sample/bundle"
    files = [path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file()]
    assert {Path("bundle.json"), Path("model.safetensors")} <= set(files)
    for file in files:
        assert (tmp_path / "bundle" / file).read_bytes() == (bundle / file).read_bytes()


def test_a_report_without_examples_still_says_that_the_weights_are_untrained(unchanged):
    unchanged.set(report__examples=0)
    assert unchanged.repro() == {"report"}
    page = (unchanged.folder / "artifacts/sample/sample/report/index.html").read_text()
    assert "untrained weights" in page


def test_dvc_shows_metrics_and_plots(clone):
    assert "f1@5" in clone.run("dvc", "metrics", "show").stdout
    shown = clone.run("dvc", "plots", "show")
    assert (clone.folder / "dvc_plots/index.html").is_file(), shown.stderr
