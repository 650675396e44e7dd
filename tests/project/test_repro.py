"""The real `dvc repro` on a tiny sample in a temporary clone: what runs again after a change, and what does not."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from stages.refine import app
from tests.support.clone import BLENDS, STAGES, STORES, Clone

pytestmark = pytest.mark.timeout(600)


def test_a_second_run_runs_nothing(clone):
    assert clone.repro("report", "bundle") == set()
    assert "up to date" in clone.output


def test_another_threshold_reruns_only_what_sees_objects(unchanged):
    unchanged.set(store__threshold=0.3)
    ran = unchanged.repro("evaluate@pitf-ic-od", "evaluate@popular", "evaluate@fm", "evaluate@fm-ic")
    seeing = {f"{stage}@pitf-ic-od" for stage in STAGES}
    assert {"store@image+objects", *seeing} <= ran <= seeing | STORES
    assert "lock file" not in unchanged.output


def test_another_detector_size_and_one_models_learning_rate_rerun_only_what_sees_them(unchanged):
    """Only the plain FM has the learning rate, and it sees no objects."""
    unchanged.set(extractors__objects__input_size=160, models__fm__training={"learning_rate": 0.05})
    ran = unchanged.repro()
    rated, seeing = ({f"{stage}@{model}" for stage in STAGES} for model in ("fm", "pitf-ic-od"))
    expected = {"extract@objects", "store@objects", *seeing, *rated, *BLENDS, "calibrate", "report"}
    assert expected <= ran <= expected | STORES


def test_the_lists_are_open_and_what_leaves_them_is_left_in_no_file(unchanged, tmp_path):
    """Another extractor, set and model need params.yaml alone; without them a colleague has nothing to do."""
    recipe = unchanged.folder / "artifacts/sample/sample"
    of_the_list = ("report/", "calibration.json")
    before = {name: digest for name, digest in unchanged.digests().items() if not name.startswith(of_the_list)}
    lines = (unchanged.folder / "dvc.yaml").read_bytes()
    added = {
        "kind": "torchvision",
        "backbone": "squeezenet1_0",
        "input_size": 64,
        "precision": "float32",
        "runtime": "torch",
    }
    unchanged.set(
        extractors__spare=added | {"weights": {"kind": "seeded"}},
        feature_sets__spare=["spare", "objects"],
        models__spare={"kind": "fm", "features": "spare"},
    )
    ran = unchanged.repro()
    new = {"extract@spare", "store@spare", "tune@spare", "train@spare", "evaluate@spare", "calibrate", "report"}
    assert new <= ran <= new | STORES | BLENDS
    assert (unchanged.folder / "dvc.yaml").read_bytes() == lines
    after = unchanged.digests()
    assert {name: after[name] for name in before} == before
    assert len(list(recipe.rglob("spare.*"))) >= 8
    assert "SPARE" in (recipe / "report/index.html").read_text()

    unchanged.remove("extractors__spare", "feature_sets__spare", "models__spare")
    assert unchanged.repro() <= {*STORES, *BLENDS, "calibrate", "report"}
    assert list(recipe.rglob("spare.*")) == []
    assert "SPARE" not in (recipe / "report/index.html").read_text()

    unchanged.run("dvc", "remote", "add", "--local", "--default", "store", str(tmp_path / "remote"))
    unchanged.run("dvc", "push")
    colleague = Clone.make(tmp_path / "colleague")
    for name in ("params.yaml", "dvc.lock", ".dvc/config.local"):
        shutil.copy2(unchanged.folder / name, colleague.folder / name)
    shutil.copytree(recipe / "metrics", colleague.folder / "artifacts/sample/sample/metrics")
    colleague.run("dvc", "pull")
    assert "up to date" in colleague.run("dvc", "status").stdout


def test_the_same_choice_trains_nothing(unchanged):
    """Another grid that chooses what was chosen before: what depends on the choice alone does not run again."""
    unchanged.set(tuning__grid={"l2": [0.0, 1e-4, 1e-4]})
    ran = unchanged.repro("evaluate@fm")
    assert "tune@fm" in ran
    assert not {"train@fm", "evaluate@fm"} & ran


def test_several_seeds_give_means_and_deviations(unchanged):
    unchanged.set(seeds=3)
    ran = unchanged.repro("evaluate@fm", "evaluate@popular")
    assert {"train@fm", "evaluate@fm"} <= ran
    assert not any(name.startswith("tune@") for name in ran)
    metrics = unchanged.folder / "artifacts/sample/sample/metrics"
    assert json.loads((metrics / "fm.json").read_text())["f1@5_deviation"] > 0
    assert "f1@5_deviation" not in json.loads((metrics / "popular.json").read_text())


def test_new_users_are_folded_in_for_the_test_and_learnt_from_in_the_end(unchanged):
    unchanged.set(recipes__sample__split={"test_posts": 1, "new_users": 0.3})
    ran = unchanged.repro("report", "bundle")
    assert {"split", "report", "bundle"} <= ran
    assert not {"crawl", "refine", "extract@image", "extract@objects"} & ran
    recipe = unchanged.folder / "artifacts/sample/sample"
    stats = json.loads((recipe / "stats.json").read_text())
    assert stats["new_users"] == 2
    assert stats["posts"] == stats["training_posts"] + stats["test_posts"] + stats["posts_of_new_users"]
    for file in (recipe / "metrics").glob("*.json"):
        metrics = json.loads(file.read_text())
        assert [metrics[group]["posts"] for group in ("hot", "warm", "cold")] == [stats["test_posts"] - 2, 2, 2]
    assert json.loads((recipe / "bundle/bundle.json").read_text())["fitted_on"]["posts"] == stats["posts"]
    assert "Warm: new users" in (recipe / "report/index.html").read_text()
    assert "with 2 new users folded in before the test, on" in (recipe / "bundle/README.md").read_text()


def test_another_recipe_reruns_nothing_before_refine(unchanged):
    unchanged.set(recipe="other")
    assert unchanged.repro("store-none") == {"refine", "split", "store-none"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"training__lerning_rate": 0.1}, ["training.lerning_rate", "learning_rate"]),
        ({"training__epochs": "many"}, ["training.epochs", "'many'"]),
        ({"models__fm__features": "sound"}, ["models.fm.features", "'sound'", "'image+objects'"]),
        ({"source": "instagram"}, ["source", "'instagram'", "'sample'", "'table'"]),
        ({"recipe": "unknown"}, ["recipe", "'unknown'", "nus-wide-1"]),
        ({"recipes__sample__refine": [{"keep": "cores"}]}, ["recipes.sample.refine.0", "'cores'", "'top_tags'"]),
        ({"recipes__sample__refine": [{"keep": "core", "user": 99, "tag": 1}]}, ["no post", "core"]),
    ],
)
def test_bad_parameters_are_one_sentence(changeable, changes, words, monkeypatch):
    changeable.set(**changes)
    monkeypatch.chdir(changeable.folder)
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 1
    (line,) = done.stderr.strip().splitlines()
    for word in words:
        assert word in line
