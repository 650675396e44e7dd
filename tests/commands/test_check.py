"""`tagrec check`: everything that would stop a run later is reported before it, at once."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from commands.check import app, cuda_is_available
from pipeline.data.schema import PHOTO, TAGS, USER
from pipeline.files.parquet import write_parquet
from pipeline.files.seal import sha256
from project.paths import Paths
from tests.support.sample_params import SAMPLE_PARAMS

ROOT = Path(__file__).parents[2]
DETECTOR = "pipeline/sources/sample/detector.pt"


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder with the sample's parameters and what they name."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "data/sample").mkdir(parents=True)
    (tmp_path / DETECTOR).parent.mkdir(parents=True)
    shutil.copy(ROOT / DETECTOR, tmp_path / DETECTOR)
    (tmp_path / "params.yaml").write_text(SAMPLE_PARAMS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(project: Path, **changes: object) -> None:
    """Changes parameters; a key is a path joined by `__`."""
    yaml = YAML()
    params = yaml.load(project / "params.yaml")
    for key, value in changes.items():
        *way, last = key.split("__")
        node = params
        for part in way:
            node = node[part]
        node[last] = value
    yaml.dump(params, project / "params.yaml")


def crawled(posts: int, tags: int) -> None:
    """Writes posts of two users as if they had been crawled, each with two of so many tags."""
    rows = [(f"u{n % 2}", f"p{n:04}", sorted({f"t{n % tags}", f"t{(n + 1) % tags}"})) for n in range(posts)]
    frame = pl.DataFrame(rows, {USER: pl.String, PHOTO: pl.String, TAGS: pl.List(pl.String)}, orient="row")
    write_parquet(frame.sort(USER, PHOTO), Paths("sample", "sample").posts)


def check() -> tuple[int, list[str]]:
    done = CliRunner().invoke(app, [])
    return done.exit_code, done.stderr.splitlines()


@pytest.mark.usefixtures("project")
def test_valid_parameters_give_no_output():
    assert check() == (0, [])
    crawled(posts=400, tags=20)
    assert check() == (0, [])


def test_all_errors_are_reported_at_once_a_line_for_each(project):
    """P9: they came up after the crawl, or after hours of extraction, one in each run."""
    (project / "data/sample").rmdir()
    change(
        project,
        extractors__image__backbone="vgg61",
        extractors__objects__detector="yolo11m.p",
        recipes__sample__refine=[{"keep": "english_tags"}],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WNSEARCHDIR", "")
        patch.setattr("pipeline.folksonomy.wordnet.NLTK", ())
        patch.setattr("pipeline.folksonomy.wordnet.DEBIAN", project / "nowhere")
        code, lines = check()
    assert code == 1
    data, wordnet, backbone, detector = lines
    assert data == "Error: data/sample does not exist: tagrec begin PATH puts data there (data/README.md)."
    assert wordnet.startswith("Error: English tags need WordNet, which is not on this machine")
    assert backbone.startswith("Error: extractors.image.backbone is 'vgg61'; torchvision has no such model. Try vgg")
    assert detector.startswith("Error: extractors.objects.detector is 'yolo11m.p': there is no such .pt file")


def test_a_recipe_cannot_have_the_name_of_the_folder_of_photos(project):
    """P9"""
    recipe = YAML().load(project / "params.yaml")["recipes"]["sample"]
    change(project, recipe="photos", recipes={"photos": recipe})
    code, (line,) = check()
    assert code == 1
    assert "recipes.photos has the name of the folder of photos: choose another name." in line


def test_an_archive_of_the_project_is_no_repository(project):
    """P28: DVC's message named no remedy."""
    (project / ".git").rmdir()
    assert check() == (1, [f"Error: {project} is not in a git repository, which DVC needs: run `git init`."])


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"extractors__objects__sha256": None}, "Error: extractors.objects.sha256 is null; that of"),
        (
            {"extractors__image__weights": {"kind": "file", "path": "gone", "sha256": "0" * 64}},
            "Error: extractors.image.weights.path is 'gone'; there is no such file.",
        ),
        (
            {"training__tag_vectors": {"path": "gone", "sha256": None}},
            "Error: training.tag_vectors.path is 'gone'; there is no such file.",
        ),
        (
            {"models__fm__training": {"tag_vectors": {"path": DETECTOR, "sha256": None}}},
            "Error: models.fm.training.tag_vectors.sha256 is null; that of",
        ),
    ],
)
def test_files_that_cannot_be_used_are_named_by_their_key(project, changes, fault):
    change(project, **changes)
    code, (line,) = check()
    assert code == 1
    assert line.startswith(fault)


def test_a_missing_package_is_reported_before_the_first_stage(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    change(project, bundle__runtime="onnx", extractors__objects__runtime="onnx")
    absent = "Error: ONNX Runtime needs the package onnx, which is not installed: pip install onnx, or '.[onnx]'."
    assert check() == (1, [absent, absent])


def test_trees_without_their_package_are_reported_before_the_first_stage(project, monkeypatch):
    ranked = {"kind": "lambdarank", "features": "none", "models": "all", "trees": 10}
    change(project, blends__ranked=ranked)
    assert check() == (0, [])
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    code, (line,) = check()
    assert code == 1
    assert line.startswith("Error: A blend of kind lambdarank needs the package lightgbm, which cannot be loaded (")
    assert line.endswith("): pip install lightgbm, or '.[lambdarank]'.")


def test_places_of_a_source_that_knows_none_are_refused(project):
    change(project, extractors__place={"kind": "place", "scales": [100.0]})
    code, (line,) = check()
    assert code == 1
    assert line.startswith("Error: extractors.place needs the places of photos, but source sample knows none: choose")


def test_a_bundle_of_a_model_that_cannot_see_new_photos_is_refused(project):
    (project / "v.parquet").write_bytes(b"vectors")
    vectors = {"kind": "vectors", "path": "v.parquet", "sha256": sha256(project / "v.parquet"), "photos": None}
    models = YAML().load(project / "params.yaml")["models"]
    change(
        project,
        extractors={"own": vectors},
        feature_sets={"image+objects": ["own"]},
        models={name: models[name] for name in ("fm", "fm-ic-od")},
        bundle__model="fm-ic-od",
    )
    code, (line,) = check()
    assert code == 1
    assert line.startswith("Error: bundle.model is 'fm-ic-od', which sees vectors that were computed elsewhere")
    change(project, bundle__model="best")
    assert check() == (0, [])


def test_missing_columns_and_models_without_photos_are_named(project):
    """T15: extraction ran to no purpose, or not at all."""
    change(project, source="table", sources__table__photos=None, sources__table__user="owner")
    (project / "data/table").mkdir()
    (project / "data/table/posts.csv").write_text("user,photo,tags\nu,p,sea\n")
    code, (column, model) = check()
    assert code == 1
    assert column.startswith("Error: sources.table.user is 'owner'; data/table/posts.csv has no such column")
    assert model.startswith("Error: models.neighbours.features is 'image+objects', which needs photos (image, ")


def test_a_given_split_of_a_source_without_one_is_an_error(project):
    change(project, recipes__sample__split={"given": True})
    assert check() == (
        1,
        [
            "Error: recipes.sample.split.given is true, but source sample names no test posts: choose another split, "
            "such as test_share: 0.2."
        ],
    )


def test_an_extractor_that_no_model_sees_gives_a_warning(project):
    """T15: it would run to no purpose."""
    models = YAML().load(project / "params.yaml")["models"]
    change(project, models={"fm": models["fm"], "fm-ic": models["fm-ic"]})
    code, (line,) = check()
    assert code == 0
    assert line.startswith("Warning: no model sees the features of objects, which are computed all the same")


def test_the_samples_extractors_on_real_photos_give_a_warning(project):
    """T18: a detector trained on drawn scenes finds nothing in photographs."""
    change(project, source="table")
    (project / "data/table/photos").mkdir(parents=True)
    (project / "data/table/posts.csv").write_text("user,photo,tags\nu,p,sea\n")
    code, (line,) = check()
    assert code == 0
    assert "the photos are real, but the extractors image, objects are untrained, or trained on the sample's" in line


def test_weights_that_are_not_in_the_cache_are_named_with_their_size(project, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(project))
    change(project, extractors__image__weights={"kind": "imagenet"}, extractors__image__backbone="vgg16")
    change(project, extractors__objects__detector="yolo11n.pt", extractors__objects__sha256=None)
    ends = "is not in torch's cache, and will be downloaded once."
    assert check() == (0, [f"Warning: vgg16-397923af.pth (528 MiB) {ends}", f"Warning: yolo11n.pt (5 MiB) {ends}"])
    (project / "hub/checkpoints").mkdir(parents=True)
    for file in ("vgg16-397923af.pth", "yolo11n.pt"):
        (project / "hub/checkpoints" / file).touch()
    assert check() == (0, [])


def test_untrained_weights_on_real_photos_give_a_warning(project):
    change(project, source="table", extractors__image__backbone="resnet50", extractors__image__input_size=128)
    (project / "data/table/photos").mkdir(parents=True)
    (project / "data/table/posts.csv").write_text("user,photo,tags\nu,p,sea\n")
    code, (line,) = check()
    assert code == 0
    assert "the photos are real, but the extractors image, objects are untrained, or trained on the sample's" in line


@pytest.mark.skipif(cuda_is_available(), reason="there is a GPU")
def test_a_decoder_that_needs_a_gpu_gives_a_warning_without_one(project):
    change(project, decode="gpu")
    code, (line,) = check()
    assert code == 0
    assert line == "Warning: decode is gpu, but this machine has no Nvidia GPU that works: extraction would stop here."


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        (
            {"recipes__sample__split": {"test_posts": 39}},
            "No post is left for validation, by which settings are chosen and probabilities are calibrated: choose a "
            "split that leaves out less than test_posts: 39, or keep users with more posts.",
        ),
        ({"recipes__sample__split": {"newest_posts": 1}}, "The split needs the time of each post"),
        (
            {"recipes__sample__split": {"test_posts": 5, "new_users": 0.4}},
            "recipes.sample.split.new_users is 0.4, which rounds down to none of the 2 users with posts in both "
            "halves: choose a larger share, or keep more such users.",
        ),
        ({"recipes__sample__refine": [{"keep": "core", "user": 5, "tag": 500}]}, "The recipe leaves no post"),
        (
            {"models__neighbours__grid": {"neighbours": [5, 500]}},
            "models.neighbours.grid has 1 of 2 combinations that cannot be fitted: neighbours is 500; of 60 training "
            "photos all would vote",
        ),
        (
            {"models__neighbours__grid": None, "models__neighbours__neighbours": 60},
            "models.neighbours.neighbours is 60; of 60 training photos all would vote",
        ),
    ],
)
def test_choices_that_do_not_suit_the_posts_give_a_warning(project, changes, warning):
    """T16: neighbours above the number of training photos ended the run after all extraction."""
    crawled(posts=80, tags=8)
    change(project, **changes)
    code, (line,) = check()
    assert code == 0
    assert line.startswith(f"Warning: going by the last crawl: {warning}")


@pytest.mark.usefixtures("project")
def test_unreadable_posts_of_an_earlier_crawl_give_no_warning():
    crawled(posts=80, tags=500)
    Paths("sample", "sample").posts.write_bytes(b"of another version")
    assert check() == (0, [])


@pytest.mark.usefixtures("project")
def test_too_many_tags_for_a_model_give_a_warning(monkeypatch):
    monkeypatch.setattr("pipeline.models.ridge.Ridge.most_tags", 7)
    crawled(posts=80, tags=8)
    code, lines = check()
    assert code == 0
    assert [line.partition(": models.")[2].partition(".")[0] for line in lines] == ["ridge", "ridge-ic-od"]


@pytest.mark.usefixtures("project")
def test_torch_is_not_imported_for_it():
    code = "import json, sys; from commands.check import main; from pathlib import Path; main(Path('params.yaml'))"
    code += "; print(json.dumps(sorted({'torch', 'torchvision', 'ultralytics', 'timm', 'nltk'} & set(sys.modules))))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []
