"""`tagrec begin` sets params.yaml for someone's data in one command, and leaves the rest of it and the data alone."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image
from ruamel.yaml import YAML

from commands import begin
from pipeline.errors import InputError
from pipeline.keywords.xmp import sidecar
from pipeline.models.ridge import Ridge
from project.params import load
from project.paths import Paths
from tests.support.sample_params import SAMPLE_PARAMS as TEXT


@pytest.fixture
def photos(tmp_path) -> Path:
    """Forty photos with sidecars: half of sea and sky, half of cats, and one without keywords."""
    folder = tmp_path / "my photos"
    folder.mkdir()
    for number in range(40):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(folder / f"{number}.jpg")
        tags = ["sea", "sky"] if number % 2 else ["cat", f"once {number}"]
        (folder / f"{number}.jpg.xmp").write_bytes(sidecar(tags))
    Image.new("RGB", (40, 40)).save(folder / "bare.jpg")
    return folder


def run(path: Path, *settings: str, **options) -> str:
    return begin.main(path, Path("params.yaml"), settings=[*settings], **options)


def test_a_folder_of_photos_needs_no_edit(checkout, photos, capsys):
    closing = run(photos)
    printed = capsys.readouterr().out
    params = load(checkout / "params.yaml")
    assert (params.source, params.recipe) == ("folder", "own")
    assert (checkout / "data/folder").readlink() == photos
    (core,) = params.active_recipe.refine
    assert (core.user, core.tag) == (10, 10)
    assert params.active_recipe.split.test_share == 0.2
    assert (params.extractors["image"].weights.kind, params.extractors["objects"].detector) == (
        "imagenet",
        "yolo11n.pt",
    )
    assert "Posts: 40. Users: 1. Tags: 23.\nLeft out, no tags: 1: bare.jpg\n" in printed
    assert closing.startswith("params.yaml:\n  source: folder\n  sources.folder.time: false\n  recipe: own\n")
    assert "\n  recipes.own: {refine: [{keep: core, user: 10, tag: 10}], split: {test_share: 0.2}}\n" in closing
    assert closing.endswith("\nNow run: make repro")


def test_other_lines_and_comments_stay(checkout, photos):
    run(photos)
    old, new = TEXT.splitlines(), (checkout / "params.yaml").read_text(encoding="utf-8").splitlines()
    assert [
        line for line in old if line not in new and "#" in line and line.partition("#")[2] not in "\n".join(new)
    ] == []
    assert len([line for line in old if line not in new]) == 6  # source, time, recipe, weights, detector, sha256
    assert [line for line in new if line not in old and line.startswith("  own")] == ["  own:"]


def test_twice_is_once(checkout, photos):
    run(photos)
    once = (checkout / "params.yaml").read_bytes()
    assert run(photos).startswith("params.yaml stays as it is.")
    assert (checkout / "params.yaml").read_bytes() == once


def test_a_dry_run_writes_nothing(checkout, photos):
    assert run(photos, dry_run=True).endswith("\nNothing is written.")
    assert (checkout / "params.yaml").read_text(encoding="utf-8") == TEXT
    assert not (checkout / "data").exists()


def test_settings_replace_guesses(checkout, photos):
    run(photos, "user={kind: named, name: ann}", "levels=every", "recipes.own.split={test_posts: 3}", "seeds=2")
    params = load(checkout / "params.yaml")
    assert (params.active_source.user.name, params.active_source.levels) == ("ann", "every")
    assert params.active_recipe.split.test_posts == 3
    assert params.seeds == 2


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("levels", "--set 'levels' is not of the form KEY=VALUE"),
        ("=leaf", "is not of the form KEY=VALUE"),
        ("sources.folder.levels=leaf", "names the source: write --set levels=… instead"),
        ("source=table", "names the source: write --source instead"),
        ("levels=lef", "sources.folder.levels is 'lef'; it must be 'leaf', 'every' or 'path'; did you mean leaf?"),
        ("user={kind: named, name: \u2060}", "sources.folder.user.name: it has no character that can be seen."),
        ("colour=red", "sources.folder.colour is not a known key"),
        ("training.batch=0", "training.batch is 0; it must be at least 1."),
        ("training.depth.size=1", "params.yaml has no key training.depth.size"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_anything_is_written(checkout, photos, setting, sentence):
    with pytest.raises(InputError, match=sentence):
        run(photos, setting)
    assert (checkout / "params.yaml").read_text(encoding="utf-8") == TEXT
    assert not (checkout / "data").exists()


def test_extractors_of_ones_own_stay(checkout, photos):
    yaml = YAML()
    params = yaml.load(TEXT)
    params["extractors"]["image"]["backbone"] = "resnet18"
    yaml.dump(params, checkout / "params.yaml")
    run(photos)
    extractors = load(checkout / "params.yaml").extractors
    assert (extractors["image"].backbone, extractors["image"].weights.kind) == ("resnet18", "seeded")
    assert extractors["objects"].detector == "yolo11n.pt"


def test_posts_without_photos_need_no_extractors(checkout, tmp_path):
    table = tmp_path / "elsewhere/posts.csv"
    table.parent.mkdir()
    rows = [f"u{number % 4},p{number},{'sea sky' if number % 2 else 'cat dog'}" for number in range(100)]
    table.write_text("\n".join(["user,photo,tags", *rows]))
    run(table)
    params = load(checkout / "params.yaml")
    assert (params.source, params.extractors, params.feature_sets) == ("table", {}, {})
    assert {model.features for model in params.models.values()} == {"none"}
    assert (checkout / "data/table/posts.csv").read_text() == table.read_text()


def write_posts(path: Path, times: list[str] | None = None, column: str = "time") -> Path:
    rows = [f"u{number % 4},p{number},{'sea sky' if number % 2 else 'cat dog'}" for number in range(100)]
    lines = (
        [f"user,photo,tags,{column}", *map(",".join, zip(rows, times, strict=True))]
        if times
        else ["user,photo,tags", *rows]
    )
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.usefixtures("checkout")
def test_models_that_are_removed_are_listed(tmp_path, dry_run):
    Path("params.yaml").write_text(TEXT.replace("\nmodels:\n", "\nmodels:\n  mine: {kind: fm, features: image}\n"))
    listed = [
        line for line in run(write_posts(tmp_path / "posts.csv"), dry_run=dry_run).splitlines() if "without" in line
    ]
    assert [line.partition(", ")[0] for line in listed] == ["  models: without mine"]
    assert listed[0].endswith(", fm-history-ic-od (they see photos)")


@pytest.mark.usefixtures("checkout")
def test_too_few_times_for_a_split_by_time_are_counted(tmp_path, capsys):
    sentence = (
        "The test posts are drawn at random: 67 of 100 posts have a time that is read, of 90 that are needed to take "
        "the newest."
    )
    run(write_posts(tmp_path / "posts.csv", ["2019-05-01"] * 67 + [""] * 33))
    assert sentence in capsys.readouterr().out.splitlines()
    assert load(Path("params.yaml")).active_recipe.split.test_share == 0.2
    run(write_posts(tmp_path / "posts.csv", ["2019-05-01"] * 90 + [""] * 10))
    assert "at random" not in capsys.readouterr().out
    assert load(Path("params.yaml")).active_recipe.split.newest_share == 0.2


@pytest.mark.parametrize(
    ("column", "settings", "sentence"),
    [
        ("Moment", [], "Columns that are not used: 'Moment' (--set time=COLUMN takes one)."),
        ("Moment", ["time=Moment"], None),
        ("Moment", ["time=Moment", "user=null"], "Columns that are not used: 'user' (--set user=COLUMN takes one)."),
    ],
)
@pytest.mark.usefixtures("checkout")
def test_columns_that_are_not_used_are_listed_with_the_remedy(tmp_path, column, settings, sentence, capsys):
    run(write_posts(tmp_path / "posts.csv", ["01.01.2019 0:15"] * 100, column), *settings, dry_run=True)
    listed = [line.strip() for line in capsys.readouterr().out.splitlines() if "not used" in line]
    assert listed == ([sentence] if sentence else [])


def test_comments_around_what_is_removed_stay(checkout, tmp_path):
    places = ("\nextractors:", "\nfeature_sets:", "\nstore:", "\n  object-names:", "\n  ridge:", "\nblends:")
    text = TEXT
    for number, place in enumerate(places):
        text = text.replace(place, f"\n  # my note {number}{place}")
    (checkout / "params.yaml").write_text(text, encoding="utf-8")
    run(write_posts(tmp_path / "posts.csv"))
    lines = (checkout / "params.yaml").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "my note" in line] == [f"  # my note {number}" for number in (0, 1, 2, 3, 4, 5)]
    assert "extractors: {}            # by names of yours; each" in "\n".join(lines)


def test_photos_after_posts_without_photos_are_refused_with_the_remedy(checkout, photos, tmp_path):
    test_posts_without_photos_need_no_extractors(checkout, tmp_path)
    with pytest.raises(InputError, match=r"sees them: git checkout .* discards all changes that are not committed"):
        run(photos)


@pytest.mark.usefixtures("checkout")
def test_a_stray_table_does_not_hide_the_photos(photos, capsys):
    rows = [f"u,{number}.jpg,sea" for number in range(3)]
    (photos / "notes.csv").write_text("\n".join(["user,photo,tags", *rows]))
    run(photos, dry_run=True)
    assert "read by source folder:" in capsys.readouterr().out
    (photos / "notes.csv").write_text("\n".join(["user,photo,tags", *(f"u,{n}.jpg,sea sky dog" for n in range(40))]))
    run(photos, dry_run=True)
    printed = capsys.readouterr().out
    assert "read by source table:" in printed
    sentence = "Source folder reads the keywords of photos instead of notes.csv, with less to learn from: "
    assert f"{sentence}--source folder.\n" in printed


@pytest.mark.usefixtures("checkout")
def test_the_files_that_each_source_reads_are_named_where_they_differ(tmp_path, capsys):
    folder = tmp_path / "several"
    folder.mkdir()
    write_posts(folder / "posts.csv")
    rows = [f"{number % 4}\t{tag}\t{number}\t1\t2006-04-06 09:58:20" for number in range(30) for tag in ("sea", "sky")]
    (folder / "tas").write_text("\n".join(rows) + "\n")
    run(folder, dry_run=True)
    printed = capsys.readouterr().out
    assert "  Source corpus reads tas instead of posts.csv, with less to learn from: --source corpus.\n" in printed


def test_a_given_split_is_kept(checkout, tmp_path):
    table = tmp_path / "posts.csv"
    rows = [f"u{number % 4},p{number},sea sky,{'test' if number % 5 == 0 else 'train'}" for number in range(100)]
    table.write_text("\n".join(["user,photo,tags,split", *rows]))
    run(table)
    params = load(checkout / "params.yaml")
    assert (params.active_source.split, params.active_recipe.split.given) == ("split", True)


def test_the_batch_of_many_posts_does_not_outlive_them(checkout, photos):
    text = (checkout / "params.yaml").read_text(encoding="utf-8")
    (checkout / "params.yaml").write_text(text.replace("  batch: 256 ", "  batch: 1024"), encoding="utf-8")
    assert load(checkout / "params.yaml").training.batch == 1024
    run(photos)
    assert load(checkout / "params.yaml").training.batch == 256


@pytest.mark.usefixtures("checkout")
def test_files_that_dvc_cannot_watch_are_named_at_once(photos, capsys):
    os.mkfifo(photos / "pipe.jpg")
    (photos / "gone.jpg").symlink_to("nowhere.jpg")
    run(photos, dry_run=True)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Before it can run: ")]
    assert ["gone.jpg is a link to nowhere.jpg" in lines[0], "pipe.jpg is neither" in lines[1]] == [True, True]


@pytest.mark.parametrize(
    ("text", "value"), [(",", ","), ("|", "|"), ("''", ""), ("3", 3), ("[a]", ["a"]), ("null", None)]
)
def test_values_are_yaml_or_themselves(text, value):
    assert begin.value_of(text) == value


@pytest.mark.parametrize("text", ["a: 1\na: 2", "\tx: 1", "a: 1\n---\nb: 2", "[" * 3000], ids=len)
def test_a_file_of_parameters_that_is_no_yaml_is_one_sentence(checkout, photos, text):
    (checkout / "params.yaml").write_text(text)
    with pytest.raises(InputError, match=r"params\.yaml is not YAML|nested too deeply"):
        run(photos)


@pytest.mark.usefixtures("checkout")
def test_too_few_posts_are_refused(photos):
    for number in range(25):
        (photos / f"{number}.jpg").unlink()
    with pytest.raises(InputError, match=r"At least 20 posts are needed to learn from; the data have 15"):
        run(photos)


def test_data_that_moved_are_begun_again(checkout, photos):
    run(photos)
    moved = photos.with_name("moved")
    shutil.move(photos, moved)
    run(moved)
    assert (checkout / "data/folder").readlink() == moved


def test_models_for_fewer_tags_are_taken_out(checkout, tmp_path, monkeypatch):
    monkeypatch.setattr(Ridge, "most_tags", 3)
    assert "\n  models: without ridge (there are too many tags)\n" in run(write_posts(tmp_path / "posts.csv"))
    assert {model.kind for model in load(checkout / "params.yaml").models.values()} >= {"fm", "recency"}
    assert "ridge" not in {model.kind for model in load(checkout / "params.yaml").models.values()}


@pytest.mark.usefixtures("checkout")
def test_the_results_of_the_data_before_are_named(tmp_path, capsys):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_posts(tmp_path / name / "posts.csv")
    run(tmp_path / "first/posts.csv")
    assert "before" not in capsys.readouterr().out
    paths = Paths("table", "own")
    paths.bundle.mkdir(parents=True)
    run(tmp_path / "first")
    assert "before" not in capsys.readouterr().out
    run(tmp_path / "second")
    printed = capsys.readouterr().out
    assert f"data/table led to {tmp_path / 'first'} until now; the pipeline no longer reads it" in printed
    assert f"`tagrec begin {tmp_path / 'first'}`" in printed
    assert "artifacts/table/own still holds the results of the previous data: `tagrec suggest` and" in printed
    run(tmp_path / "first/posts.csv", dry_run=True)
    assert "before" not in capsys.readouterr().out


@pytest.mark.usefixtures("checkout")
def test_a_folder_whose_sources_all_fail_hears_of_the_one_that_knows_its_form(photos):
    write_posts(photos / "a.csv")
    write_posts(photos / "b.csv", ["2019-05-01"] * 100)
    for file in photos.glob("*.xmp"):
        file.unlink()
    with pytest.raises(InputError, match=r"^table: .* \(--set (files|photos)=…\)\.$"):
        run(photos)
