"""The real `dvc repro` on a tiny sample in a temporary clone: what runs again after a change, and what does not."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from ruamel.yaml import YAML

from pipeline.data.photo import PhotoFile
from pipeline.data.shards import read_photos
from pipeline.recommend.recommender import Recommender

ROOT = Path(__file__).parents[2]
STAGES = ("tune", "train", "evaluate")
STORES = {"store@image", "store@objects", "store@image+objects"}
MODELS = ("popular", "fm", "fm-ic", "pitf-ic-od")


class Clone:
    """A clone of the project with parameters of its own."""

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def make(cls, folder: Path) -> "Clone":
        """Copies what git has, but for the artifacts, into a folder."""
        clone = cls(folder)
        folder.mkdir(exist_ok=True)
        tracked = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        for name in filter(None, tracked.stdout.split("\0")):
            if not name.startswith(("artifacts/", "tests/", "docs/")) and name != "dvc.lock" and (ROOT / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        clone.run("git", "init", "--quiet")
        return clone

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        binaries = Path(sys.executable).parent
        environment = os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ""}
        return subprocess.run(
            command, cwd=self.folder, check=check, capture_output=True, text=True, env=environment, timeout=280
        )

    def repro(self, *targets: str) -> set[str]:
        """Runs `dvc repro` up to some stages, or the report; the names of the stages that DVC says it ran."""
        done = self.run("dvc", "repro", *(targets or ["report"]), check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        self.output = done.stdout
        return set(re.findall(r"^Running stage '(.+)':$", done.stdout, re.MULTILINE))

    def restored(self) -> set[str]:
        """The stages whose outputs the last `repro` took from DVC's cache."""
        return set(re.findall(r"^Stage '(.+)' is cached", self.output, re.MULTILINE))

    def digests(self) -> dict[str, str]:
        """The SHA-256 of all that DVC keeps of the recipe."""
        root = self.folder / "artifacts/sample/sample"
        files = [path for path in sorted(root.rglob("*")) if path.is_file()]
        files = [path for path in files if path.name not in {".gitignore", "seconds.js"}]
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def killed(self, module: str, when: Callable[[], bool]) -> bool:
        """Starts a stage and kills it, by SIGKILL, as soon as `when` says so; whether that was before its end."""
        process = subprocess.Popen(
            [sys.executable, "-m", *module.split()],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and not when():
            time.sleep(0.002)
        process.kill()
        return process.wait() == -signal.SIGKILL

    def remove(self, *keys: str) -> None:
        """Removes parameters, named as for `set`."""
        yaml = YAML()
        params = yaml.load((self.folder / "params.yaml").read_text())
        for key in keys:
            section, name = key.split("__")
            del params[section][name]
        with (self.folder / "params.yaml").open("w") as file:
            yaml.dump(params, file)

    def set(self, **changes: object) -> None:
        """Changes parameters; a key is a path joined by `__`, in which `_` stands for itself."""
        yaml = YAML()
        params = yaml.load((self.folder / "params.yaml").read_text())
        for key, value in changes.items():
            *way, last = key.split("__")
            node = params
            for part in way:
                node = node[part]
            node[last] = value
        with (self.folder / "params.yaml").open("w") as file:
            yaml.dump(params, file)


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    """A clone with a sample of 48 photos, a small backbone and four models."""
    clone = Clone.make(tmp_path_factory.mktemp("clone"))
    yaml = YAML()
    params = yaml.load((clone.folder / "params.yaml").read_text())
    params["sources"]["sample"] |= {"users": 8, "posts": 6}
    params["recipes"]["sample"] = {"refine": [{"keep": "core", "user": 2, "tag": 2}], "split": {"test_posts": 1}}
    params["recipes"]["other"] = {"refine": [{"keep": "core", "user": 2, "tag": 3}], "split": {"test_posts": 1}}
    params["extractors"]["image"] |= {"backbone": "squeezenet1_1", "input_size": 64}
    params["extractors"]["objects"]["input_size"] = 128
    params["training"] |= {"factors": 8, "epochs": 3, "curve_every": 1}
    params["tuning"] = {"measure": "f1@5", "grid": {"l2": [0.0, 1e-4]}, "folds": 1, "refit": True}
    params["report"] |= {"resamples": 50, "examples": 2}
    params["models"] = {name: params["models"][name] for name in MODELS}
    with (clone.folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)
    ran = clone.repro("report", "bundle")
    assert {"crawl", "refine", "split", "extract@image", "extract@objects", "report", "bundle"} <= ran
    assert {f"{stage}@{model}" for stage in STAGES for model in MODELS} <= ran
    return clone


@pytest.fixture
def told(clone):
    """The clone, whose parameters are put back afterwards."""
    before = (clone.folder / "params.yaml").read_text()
    yield clone
    (clone.folder / "params.yaml").write_text(before)


@pytest.fixture
def unchanged(clone, tmp_path):
    """A copy of the clone, with everything up to date, for a test that changes it."""
    shutil.copytree(clone.folder, tmp_path / "copy", symlinks=True)
    return Clone(tmp_path / "copy")


def test_a_second_run_runs_nothing(clone):
    assert clone.repro("report", "bundle") == set()
    assert "up to date" in clone.output


def test_another_threshold_reruns_only_what_sees_objects(unchanged):
    unchanged.set(store__threshold=0.3)
    ran = unchanged.repro()
    seeing = {f"{stage}@pitf-ic-od" for stage in STAGES}
    assert ran - {"calibrate", "report"} <= seeing | STORES
    assert {"store@objects", "tune@pitf-ic-od", "train@pitf-ic-od", "report"} <= ran


def test_another_detector_size_reruns_only_what_sees_objects(unchanged):
    unchanged.set(extractors__objects__input_size=160)
    ran = unchanged.repro()
    assert {"extract@objects", "store@objects", "train@pitf-ic-od", "report"} <= ran
    blind = {"crawl", "refine", "split", "extract@image", "store-none"}
    blind |= {f"{stage}@{model}" for stage in STAGES for model in ("popular", "fm", "fm-ic")}
    assert not ran & blind


def test_the_lists_are_open_and_what_leaves_them_is_left_in_no_file(unchanged, tmp_path):
    """Another extractor, set and model need params.yaml alone; without them a colleague has nothing to do."""
    recipe = unchanged.folder / "artifacts/sample/sample"
    of_the_list = ("report/", "calibration.json")
    before = {name: digest for name, digest in unchanged.digests().items() if not name.startswith(of_the_list)}
    lines = (unchanged.folder / "dvc.yaml").read_bytes()
    added = {"kind": "torchvision", "backbone": "squeezenet1_0", "input_size": 64, "precision": "float32"}
    unchanged.set(
        extractors__spare=added | {"weights": {"kind": "seeded"}},
        feature_sets__spare=["spare", "objects"],
        models__spare={"kind": "fm", "features": "spare"},
    )
    ran = unchanged.repro()
    new = {"extract@spare", "store@spare", "tune@spare", "train@spare", "evaluate@spare", "calibrate", "report"}
    assert new <= ran <= new | STORES
    assert (unchanged.folder / "dvc.yaml").read_bytes() == lines
    after = unchanged.digests()
    assert {name: after[name] for name in before} == before
    assert len(list(recipe.rglob("spare.*"))) >= 8
    assert "SPARE" in (recipe / "report/index.html").read_text()

    unchanged.remove("extractors__spare", "feature_sets__spare", "models__spare")
    assert unchanged.repro() <= {*STORES, "calibrate", "report"}
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


def test_one_models_learning_rate_reruns_that_model_and_the_report(unchanged):
    unchanged.set(**{"models__fm-ic__training": {"learning_rate": 0.05}})
    assert unchanged.repro() == {"tune@fm-ic", "train@fm-ic", "evaluate@fm-ic", "calibrate", "report"}


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


def test_another_recipe_reruns_nothing_before_refine(unchanged):
    unchanged.set(recipe="other")
    assert unchanged.repro("store-none") == {"refine", "split", "store-none"}


def test_going_back_restores_from_cache(unchanged):
    before, outputs = (unchanged.folder / "params.yaml").read_text(), unchanged.digests()
    unchanged.set(seed=7, store__threshold=0.3, extractors__objects__input_size=160)
    assert {"extract@objects", "train@fm"} <= unchanged.repro("evaluate@fm", "store@objects")
    changed = unchanged.digests()
    assert {"models/fm.safetensors", "store/objects.parquet"} <= {
        name for name in outputs if outputs[name] != changed[name]
    }
    (unchanged.folder / "params.yaml").write_text(before)
    assert unchanged.repro() == set()
    assert {"extract@objects", "store@objects", "train@fm"} <= unchanged.restored()
    assert unchanged.digests() == outputs


def test_each_stage_run_twice_writes_the_same_bytes(clone):
    outputs = clone.digests()
    shutil.rmtree(clone.folder / ".work")  # What was extracted is extracted anew.
    clone.run("dvc", "repro", "--force")
    again = clone.digests()
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
def test_bad_parameters_are_one_sentence(told, changes, words):
    told.set(**changes)
    done = told.run(sys.executable, "-m", "stages.refine", check=False)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    for word in words:
        assert word in line
