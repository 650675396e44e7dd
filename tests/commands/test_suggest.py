"""`tagrec suggest` and `tagrec undo`: photos in, suggestions out, keywords written on request and taken back."""

import errno
import hashlib
import json
import os
import sys
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from commands import suggest, undo
from pipeline.errors import InputError
from pipeline.features.images import resize_to_square
from pipeline.keywords.metadata import FLAT
from pipeline.keywords.packet import read
from pipeline.recommend.network import PhotoReader
from project import recommending
from project.explain import explain
from project.formats import FORMATS
from tests.support.bundles import world, write_bundle
from tests.support.fake_recommender import FakeRecommender, photo_of
from tests.support.keywords import DARKTABLE


@pytest.fixture(autouse=True)
def fake(monkeypatch) -> FakeRecommender:
    fake = FakeRecommender()
    monkeypatch.setattr(suggest, "load_recommender", lambda *_: fake)
    return fake


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with photos, one of them broken, and another file; the current folder is above it."""
    monkeypatch.chdir(tmp_path)
    folder = Path("photos")
    folder.mkdir()
    for colour in ("blue", "green", "red"):
        (folder / f"{colour}.jpg").write_bytes(photo_of(colour))
    (folder / "broken.jpg").write_bytes(b"no photo")
    (folder / "notes.txt").touch()
    return folder


def run(*arguments: str | Path, app=suggest.app, input: bytes | None = None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=input)


def first_tags(output: str) -> dict[str, str]:
    """Reads the first tag of each photo from JSON lines."""
    lines = [json.loads(line) for line in output.splitlines()]
    return {Path(line["photo"]).name: line["suggestions"][0]["tag"] for line in lines if "suggestions" in line}


def test_each_photo_of_a_folder_gets_its_tags(folder):
    done = run(folder, "--user", "bob", "--format", "jsonl")
    assert done.exit_code == 0
    assert first_tags(done.stdout) == {"blue.jpg": "blue", "green.jpg": "green", "red.jpg": "red"}
    assert json.loads(done.stdout.splitlines()[1]) == {"photo": "photos/broken.jpg", "error": "not an image"}


def test_a_link_to_nothing_in_a_folder_is_a_photo_that_cannot_be_read(folder):
    (folder / "z.jpg").symlink_to("absent")
    assert run(folder).exit_code == 0
    assert "photos/z.jpg: " in run(folder).stderr
    assert run(folder, "--strict").exit_code == 2
    assert run(folder, folder / "z.jpg").exit_code == 1


def test_photos_that_a_format_cannot_name_are_counted_in_the_closing_line(folder):
    (folder / "a\nb.jpg").write_bytes(photo_of("red"))
    (folder / "c\nd.jpg").write_bytes(b"no photo")
    closing = "suggest: 4 photos, 2 that cannot be used"
    done = run(folder, "--format", "exiftool")
    assert done.stderr.splitlines()[-1] == f"{closing}, 1 left out of the results, which cannot hold their names"
    assert run(folder, "--format", "jsonl").stderr.splitlines()[-1] == closing


def test_notes_are_no_results(folder):
    done = run(folder, "--user", "carl", "--given", "no such tag", "--exclude", "red")
    for note in (
        "4 photos, fake, no user",
        "The suggestions rest on seeded weights.",
        "The bundle knows no user 'carl': the suggestions come from the pictures alone.",
        "The model has no tag 'no such tag': that has no effect.",
        "Left out: 1 other file (1 .txt).",
        "photos/broken.jpg: not an image.",
        "suggest: 3 photos, 1 that cannot be used",
    ):
        assert note in done.stderr.splitlines()
        assert note not in done.stdout


def test_a_user_of_almost_the_same_name_is_offered(folder):
    done = run(folder / "red.jpg", "--user", "ANN")
    assert (
        "The bundle knows no user 'ANN': the suggestions come from the pictures alone. Did you mean 'ann'?"
        in done.stderr
    )


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ((), "The bundle's model sees no picture: all photos get the same tags."),
        (("--user", "carl"), "The bundle's model sees no picture: all photos get the same tags."),
        (("--user", "ann"), "The bundle's model sees no picture: the suggestions go by the user's habits alone."),
    ],
)
def test_a_bundle_that_looks_at_no_picture_says_so(folder, monkeypatch, user, said):
    monkeypatch.setattr(suggest, "load_recommender", lambda *_: FakeRecommender(sees_pictures=False))
    notes = run(folder / "red.jpg", *user).stderr
    assert said in notes.splitlines()
    assert "pictures alone" not in notes


@pytest.mark.parametrize(
    ("pictures", "user", "said"),
    [
        (False, "carl", "The bundle's model sees no picture: the suggestions go by the photo's day alone."),
        (
            False,
            "ann",
            "The bundle's model sees no picture: the suggestions go by the user's habits and the photo's day alone.",
        ),
        (True, "carl", "The bundle knows no user 'carl': the suggestions come from the pictures and their days alone."),
    ],
)
def test_a_bundle_that_goes_by_days_says_so(folder, monkeypatch, pictures, user, said):
    recommender = FakeRecommender(sees_pictures=pictures, dates_strangers=True)
    monkeypatch.setattr(suggest, "load_recommender", lambda *_: recommender)
    assert said in run(folder / "red.jpg", "--user", user).stderr.splitlines()


@pytest.mark.parametrize(
    ("pictures", "user", "said"),
    [
        (False, "carl", "The bundle's model sees no picture: the suggestions go by the photo's place alone."),
        (
            True,
            "carl",
            "The bundle knows no user 'carl': the suggestions come from the pictures and their places alone.",
        ),
    ],
)
def test_a_bundle_that_goes_by_places_says_so(folder, monkeypatch, pictures, user, said):
    recommender = FakeRecommender(sees_pictures=pictures, sees_places=True)
    monkeypatch.setattr(suggest, "load_recommender", lambda *_: recommender)
    assert said in run(folder / "red.jpg", "--user", user).stderr.splitlines()


def test_photos_without_a_place_are_counted(folder, monkeypatch):
    red, blue = (hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("red.jpg", "blue.jpg"))
    for without, said in (((red,), "1 of 3"), ((red, blue), "2 of 3"), ((), None)):
        recommender = FakeRecommender(sees_places=True, without_place=without)
        monkeypatch.setattr(suggest, "load_recommender", lambda *_, fake=recommender: fake)
        notes = run(folder).stderr.splitlines()
        assert ("where they were taken" in notes[-2]) == bool(without)
        assert not without or notes[-2] == f"Photos that do not say where they were taken: {said}."
        assert notes[-1] == "suggest: 3 photos, 1 that cannot be used"


def test_a_list_on_standard_input(folder):
    done = run("-", "--format", "jsonl", input=f"{folder}/red.jpg\n{folder}/absent.jpg\n".encode())
    assert first_tags(done.stdout) == {"red.jpg": "red"}
    assert "photos/absent.jpg: no such file or directory." in done.stderr
    assert done.exit_code == 1


def test_a_photo_that_does_not_exist_is_named_and_the_others_follow(folder):
    done = run(folder / "red.jpg", folder / "absent.jpg", folder / "blue.jpg", "--format", "jsonl")
    assert first_tags(done.stdout) == {"red.jpg": "red", "blue.jpg": "blue"}
    assert "photos/absent.jpg: no such file or directory." in done.stderr
    assert done.exit_code == 1
    alone = run("absent.jpg")
    assert (alone.exit_code, alone.stderr) == (1, "Error: absent.jpg does not exist.\n")


def test_given_and_excluded_tags_are_not_suggested(folder):
    done = run(folder / "red.jpg", "--given", "red", "--exclude", "orange", "--format", "jsonl")
    (line,) = done.stdout.splitlines()
    assert not {"red", "orange"} & {each["tag"] for each in json.loads(line)["suggestions"]}


def test_top_and_at_least_bound_the_tags(folder):
    (line,) = run(folder / "red.jpg", "--top", "3", "--format", "jsonl").stdout.splitlines()
    probabilities = [each["probability"] for each in json.loads(line)["suggestions"]]
    assert len(probabilities) == 3
    bound = (probabilities[0] + probabilities[1]) / 2
    (line,) = run(folder / "red.jpg", "--at-least", bound, "--format", "jsonl").stdout.splitlines()
    assert len(json.loads(line)["suggestions"]) == 1


def test_strict_ends_with_code_2_after_all_photos(folder):
    done = run(folder, "--strict", "--format", "jsonl")
    assert done.exit_code == 2
    assert len(first_tags(done.stdout)) == 3
    assert run(folder / "red.jpg", "--strict").exit_code == 0


def test_an_output_file_appears_when_all_are_done(folder, monkeypatch):
    assert run(folder, "--output", "tags.csv", "--format", "csv").stdout == ""
    whole = Path("tags.csv").read_text()
    assert whole.startswith("photo,tag,probability,score,why\n")
    monkeypatch.setattr(FakeRecommender, "rank", lambda *_, **__: 1 / 0)
    assert run(folder, "--output", "tags.csv").exit_code == 1
    assert Path("tags.csv").read_text() == whole


def test_many_photos_are_streamed_with_vectors_kept_and_few_are_not(folder, monkeypatch):
    seen, original = [], FakeRecommender.vectors

    def vectors(self, files, work=None):
        seen.append((isinstance(files, list), work))
        return (outcome for file in files for outcome in original(self, [file]))

    monkeypatch.setattr(FakeRecommender, "vectors", vectors)
    for number in range(40):
        (folder / f"{number}.jpg").write_bytes(photo_of((number, 0, 0)))
    assert len(first_tags(run(folder, "--format", "jsonl").stdout)) == 43
    run(folder / "red.jpg")
    assert seen == [(False, suggest.VECTORS), (True, None)]


class MeanColour:
    """A network in numpy."""

    size, dimension, record = 8, 3, MappingProxyType({"name": "mean colour"})
    preprocess = staticmethod(partial(resize_to_square, size=8))

    def compute(self, batch: np.ndarray) -> np.ndarray:
        return batch.mean((1, 2), dtype=np.float32)


def test_an_interrupted_run_keeps_all_that_it_computed_and_resumes_to_the_same_bytes(folder, monkeypatch):
    for number in range(30):
        (folder / f"{number}.jpg").write_bytes(photo_of("pink", (40 + number, 40)))
    options = [folder.absolute(), "--format", "jsonl", "--output", "tags.jsonl"]
    written = []

    def interrupted(*arguments):
        written.append(arguments)
        if len(written) == 20:
            raise KeyboardInterrupt
        return ""

    with PhotoReader({"colour": MeanColour()}) as reader:
        monkeypatch.setattr(FakeRecommender, "vectors", lambda _, files, work=None: reader.read(files, work))
        assert run(*options).exit_code == 0
        whole = Path("tags.jsonl").read_bytes()
        Path("elsewhere").mkdir()
        monkeypatch.chdir("elsewhere")
        with monkeypatch.context() as during:
            during.setattr(FORMATS["jsonl"], "photo", interrupted)
            assert run(*options).exit_code != 0
        assert not Path("tags.jsonl").exists()
        # Of 34 photos, those of the first two batches but for the broken one; the third is not computed, or lost.
        assert sum(len(pl.read_parquet(file)) for file in suggest.VECTORS.rglob("*.parquet")) >= 31
        assert run(*options).exit_code == 0
    assert Path("tags.jsonl").read_bytes() == whole


def test_sidecars_are_written_and_taken_back(folder):
    darktable = folder / "red.jpg.xmp"
    darktable.write_text(DARKTABLE)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = run(folder, "--at-least", "0.45", "--write", "sidecar")
    assert "suggest: 3 photos, 1 that cannot be used; 3 files changed; `tagrec undo` takes that back" in done.stderr
    assert read(darktable.read_bytes()).keywords[FLAT] == ["old", "red"]
    assert read((folder / "blue.jpg.xmp").read_bytes()).keywords[FLAT] == ["blue"]
    assert not (folder / "broken.jpg.xmp").exists()
    assert "0 files changed" in run(folder, "--at-least", "0.45", "--write", "sidecar").stderr
    assert run(app=undo.app).stdout == ("undo: 3 files restored; 0 earlier runs can be taken back\n")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_photos_are_written_into_only_when_asked(folder):
    photo, time = folder / "red.jpg", (folder / "red.jpg").stat().st_mtime_ns
    before = photo.read_bytes()
    run(photo, "--top", "1", "--write", "file")
    assert photo.read_bytes() != before
    assert photo.stat().st_mtime_ns == time
    assert [path.name for path in folder.iterdir() if path.suffix == ".xmp"] == []
    run(app=undo.app)
    assert photo.read_bytes() == before


def test_a_dry_run_says_what_would_change_and_changes_nothing(folder):
    before = sorted(folder.iterdir())
    done = run(folder, "--top", "1", "--write", "sidecar", "--dry-run")
    assert "photos/red.jpg.xmp would get red." in done.stderr
    assert "3 files would change" in done.stderr
    assert sorted(folder.iterdir()) == before
    assert run(app=undo.app).exit_code == 1


def test_a_file_that_changed_since_stays_and_is_named(folder):
    run(folder, "--top", "1", "--write", "sidecar")
    edited = folder / "red.jpg.xmp"
    edited.write_bytes(edited.read_bytes() + b"\n")
    done = run(app=undo.app)
    assert done.exit_code == 1
    assert f"{edited.absolute()} has changed since, and stays as it is." in done.stderr
    assert "2 files restored" in done.stdout
    assert [path.name for path in folder.glob("*.xmp")] == ["red.jpg.xmp"]


def test_a_journal_that_cannot_be_written_ends_the_run_and_is_named(folder, monkeypatch):
    """Without its note no change could be taken back; the photo is not to blame."""

    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("pipeline.keywords.journal.os.fsync", broken)
    done = run(folder, "--top", "1", "--write", "sidecar")
    assert done.exit_code == 1
    assert "Error: .work/keywords/000001.jsonl: Input/output error." in done.stderr
    assert not list(folder.glob("*.xmp"))


def test_what_is_no_ordinary_file_is_named_and_the_others_are_written(folder):
    os.mkfifo(folder / "a pipe.jpg")
    (folder / "red.jpg.xmp").mkdir()
    (folder / ("n" * 245 + ".jpg")).write_bytes(photo_of("red"))
    done = run(folder, "--top", "1", "--write", "sidecar")
    assert done.exit_code == 0
    assert "photos/a pipe.jpg: not a file." in done.stderr
    assert "photos/red.jpg.xmp is not a file." in done.stderr
    assert (folder / "blue.jpg.xmp").is_file()
    (folder / "blue.jpg.xmp").unlink()
    (folder / "blue.jpg.xmp").mkdir()
    assert "blue.jpg.xmp has changed since" in run(app=undo.app).stderr
    assert not (folder / "green.jpg.xmp").exists()


def test_results_take_the_place_of_no_photo_and_no_device(folder):
    photo = (folder / "red.jpg").read_bytes()
    assert "which is one of the photos" in run(folder, "--output", folder / "red.jpg").stderr
    assert (folder / "red.jpg").read_bytes() == photo
    assert "is not an ordinary file" in run(folder, "--output", os.devnull).stderr


def test_a_sidecar_that_the_system_refuses_to_write_ends_with_code_1_after_the_others_are_written(folder, monkeypatch):
    replace = os.replace

    def refuse(old, new):
        if Path(new).name == "red.jpg.xmp":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(new))
        replace(old, new)

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(Path, "replace", refuse)
    done = run(folder, "--top", "1", "--write", "sidecar")
    assert "photos/red.jpg.xmp cannot be written (Read-only file system)." in done.stderr
    assert "2 files changed, 1 left as they are" in done.stderr
    assert "Error: 1 file could not be written" in done.stderr.splitlines()[-1]
    assert done.exit_code == 1


def test_a_folder_that_cannot_be_listed_is_named(folder, monkeypatch):
    (folder / "sub").mkdir()
    walk = os.walk

    def refuse(top, onerror=None):
        if Path(top).name == "sub":
            onerror(PermissionError(errno.EACCES, os.strerror(errno.EACCES), top))
            return iter(())
        return walk(top, onerror=onerror)

    monkeypatch.setattr(os, "walk", refuse)
    done = run(folder)
    assert "Left out: the folder photos/sub, which cannot be listed (Permission denied)." in done.stderr
    assert done.exit_code == 1
    assert run(folder, "--strict").exit_code == 2


def test_a_sidecar_that_is_broken_stays_and_the_others_are_written(folder):
    (folder / "red.jpg.xmp").write_text("<broken")
    done = run(folder, "--top", "1", "--write", "sidecar", "--strict")
    assert "photos/red.jpg.xmp is not XMP." in done.stderr
    assert "2 files changed, 1 left as they are" in done.stderr
    assert done.exit_code == 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--write", "sidecar"], "choose them with --at-least or --top"),
        (["--dry-run"], "--dry-run is for --write"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(folder, options, sentence):
    done = run(folder, *options)
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert sentence in line


def test_without_exiv2_nothing_is_begun(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "exiv2", None)
    done = run(folder, "--top", "1", "--write", "sidecar")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "exiv2, which is not installed" in done.stderr


def test_the_default_bundle_is_that_of_the_parameters(tmp_path):
    params = Path("params.yaml").absolute()
    with pytest.raises(InputError, match=r"does not exist: run `dvc repro bundle`"):
        recommending.default_bundle(copied(params, tmp_path))
    with pytest.raises(InputError, match=r"name its folder with --bundle"):
        recommending.default_bundle(tmp_path / "absent.yaml")


def test_a_folder_that_is_no_bundle_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=str(tmp_path)):
        recommending.load_recommender(recommending.RecommenderOptions(bundle=tmp_path), Path("params.yaml"), 0)


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [("nowhere", "nowhere is not a bundle: there is no such folder."), ("bundle", "Copy the bundle again, or name")],
)
def test_running_the_pipeline_is_no_remedy_for_a_bundle_that_was_named(tmp_path, folder, sentence):
    bundle = write_bundle(tmp_path / "bundle", world())
    next(bundle.glob("*.safetensors")).unlink()
    with pytest.raises(InputError) as caught:
        recommending.load_recommender(recommending.RecommenderOptions(bundle=tmp_path / folder), tmp_path, 0)
    assert sentence in explain(caught.value)
    assert "dvc repro" not in explain(caught.value)


def copied(params: Path, folder: Path) -> Path:
    """A copy whose recipe has never been run."""
    copy = folder / "params.yaml"
    copy.write_text(params.read_text(encoding="utf-8").replace("source: sample", "source: table", 1), encoding="utf-8")
    return copy
