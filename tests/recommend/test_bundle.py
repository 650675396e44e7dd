"""A bundle: complete, without code, the same bytes in every run, and refused when it does not fit."""

import json
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from pipeline.data.photo import PhotoFile
from pipeline.errors import ArtifactError, InputError
from pipeline.features.extractor import device_record
from pipeline.features.networks.weights import write_state
from pipeline.files.seal import sha256
from pipeline.files.texts import read_sealed_json, write_sealed_json
from pipeline.recommend import probe
from pipeline.recommend.bundle import HASHED_FILES, Bundle, pack
from pipeline.recommend.habits import Habits
from pipeline.recommend.manifest import MANIFEST
from pipeline.recommend.recommender import Recommender
from tests.support.bundles import CONFIGS, SEED, world, write_bundle
from tests.support.models import fitted


@pytest.fixture
def copy(bundle, tmp_path) -> Path:
    """A bundle that a test may change."""
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def change(folder: Path, **values: object) -> None:
    """Changes entries of the manifest, given by their paths joined by `__`."""
    manifest = read_sealed_json(folder / MANIFEST)
    for key, value in values.items():
        *way, last = key.split("__")
        node = manifest
        for part in way:
            node = node[part]
        node[last] = value
    write_sealed_json(manifest, folder / MANIFEST)


def suggestions(folder: Path, user: str | None = "ann") -> list:
    with Recommender.load(folder, "cpu") as recommender:
        return recommender.suggest(world().files[:3], user)


def test_its_files_are_all_that_is_needed_and_hold_no_pickle(bundle):
    files = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())
    assert files == [
        "LICENSE",
        "README.md",
        "bundle.json",
        "companions.safetensors",
        "evaluation.json",
        "habits.safetensors",
        "model.safetensors",
        "probe.safetensors",
        "requirements.txt",
        "weights/image.safetensors",
        "weights/objects.safetensors",
    ]


def test_two_runs_write_the_same_bytes(bundle, tmp_path):
    again = write_bundle(tmp_path / "again", world())
    for file in bundle.rglob("*"):
        if file.is_file():
            assert file.read_bytes() == (again / file.relative_to(bundle)).read_bytes(), file.name


def test_it_loads_from_a_folder_that_cannot_be_written_and_from_anywhere(copy, bundle, tmp_path, monkeypatch):
    expected = suggestions(bundle)
    for path in [copy, *copy.rglob("*")]:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    monkeypatch.chdir(tmp_path)
    try:
        assert suggestions(Path("copy")) == expected
        assert suggestions(copy) == expected
    finally:
        for path in [copy, *copy.rglob("*")]:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"is not a bundle: there is no such folder"):
        Bundle.read(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"is not a bundle: it has no bundle\.json"):
        Bundle.read(tmp_path)


@pytest.mark.parametrize("found", [1, "2", None])
def test_an_unknown_format_is_refused(copy, found):
    change(copy, format=found)
    with pytest.raises(InputError, match=f"format {found!r}, and this version reads format 4: make it again"):
        Bundle.read(copy)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": 1}, "bundle.json is damaged .name"),
        ({"unheard_of": 1}, "bundle.json is damaged .unheard_of"),
        ({"extractors__objects__weights__path": "../../etc/passwd"}, "leads out of the folder"),
        ({"extractors__objects__weights__path": "/etc/passwd"}, "leads out of the folder"),
        ({"preparation": {"side": 300, "quality": 92}}, "expects photos prepared by .*300"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(copy, changes, words):
    change(copy, **changes)
    with pytest.raises(InputError, match=words):
        Bundle.read(copy)


@pytest.mark.parametrize(
    "file",
    ["model.safetensors", "habits.safetensors", "companions.safetensors", "evaluation.json", "probe.safetensors"],
)
@pytest.mark.parametrize("damage", ["missing", "cut short", "another"])
def test_a_damaged_file_is_named(copy, file, damage):
    data = (copy / file).read_bytes()
    (copy / file).unlink()
    if damage != "missing":
        (copy / file).write_bytes(data[: len(data) // 2] if damage == "cut short" else b"\0" * 100)
    with pytest.raises(ArtifactError, match=file):
        Bundle.read(copy).networks("cpu")


@pytest.mark.parametrize("file", [*HASHED_FILES, MANIFEST])
def test_a_flipped_bit_is_seen(copy, file):
    data = bytearray((copy / file).read_bytes())
    data[-3] ^= 0x40
    (copy / file).unlink()
    (copy / file).write_bytes(data)
    with pytest.raises(ArtifactError, match=f"{file} is (damaged|not JSON)"):
        Bundle.read(copy)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"extractors__image__record__sha256": "0" * 64}, "'image' is not .* sha256 is .*, and was .*0000"),
        ({"extractors__image__record__size": 96}, "'image' is not .* size is 64, and was 96"),
        ({"extractors__image__record__precision": "float16"}, "precision is .*float32.*, and was .*float16"),
        ({"extractors__objects__record__kind": "yolov2"}, "'objects' is not .* kind is .*ultralytics.*yolov2"),
        ({"extractors__objects__record__preprocessing": "squashed"}, "preprocessing"),
        ({"extractors__image__weights__sha256": "0" * 64}, "sha256 is 0000.* is another file"),
        ({"extractors__objects__weights__sha256": "0" * 64}, "sha256 is 0000.* is another file"),
    ],
)
def test_another_extractor_than_the_models_own_is_refused(copy, changes, words):
    change(copy, **changes)
    with pytest.raises(InputError, match=words):
        Bundle.read(copy).networks("cpu")


def test_another_library_is_taken_if_its_numbers_are_the_same(copy):
    change(copy, extractors__image__record__versions={"torch": "1.0"})
    Bundle.read(copy).networks("cpu")
    vectors = Bundle.read(copy).networks("cpu")["image"]
    assert vectors.dimension == 512


def test_another_library_whose_numbers_differ_is_refused(copy, monkeypatch):
    change(copy, extractors__image__record__versions={"torch": "1.0"})
    of_probe = probe.probe
    monkeypatch.setattr(probe, "probe", lambda *arguments: of_probe(*arguments) * 1.002)
    with pytest.raises(InputError, match=r"'image' gives other vectors .* here, with versions .*1\.0.* off by 0\.002"):
        Bundle.read(copy).networks("cpu")


def test_weights_that_are_named_are_found_where_the_settings_say(tmp_path):
    folder = write_bundle(tmp_path / "named", world(), copied=False)
    assert not (folder / "weights").exists()
    assert len(suggestions(folder)) == 3
    change(folder, seed=4)
    with pytest.raises(InputError, match=r"'image' is not .* (sha256|seed)"):
        suggestions(folder)
    change(folder, seed=SEED)
    change(folder, extractors__objects__config__detector="nowhere.pt")
    with pytest.raises(InputError, match=r"nowhere\.pt"):
        suggestions(folder)


def test_a_model_of_other_weights_is_not_packed(tmp_path):
    other = write_state(CONFIGS["image"].load(9, torch.device("cpu")).network, tmp_path / "other.safetensors")
    configs = CONFIGS | {"image": CONFIGS["image"].with_weights(other, sha256(other))}
    with pytest.raises(InputError, match="'image' is not the one that the model was fitted with"):
        write_bundle(tmp_path / "bundle", world(), configs)


def test_what_a_gpu_computed_is_computed_in_float32_of_pillows_pixels_in_the_bundle(tmp_path):
    config, cpu = CONFIGS["image"], torch.device("cpu")
    records = {
        "image": config.load(SEED, cpu).record | device_record("cuda") | {"precision": "float16", "decoder": "gpu"}
    }
    left_open = config.model_copy(update={"precision": "auto"})
    packed = pack(tmp_path, {"image": left_open}, records, SEED, "torch", copied=True)
    assert packed["image"].record["precision"] == "float32"
    with pytest.raises(InputError, match=r"precision is .*float32.*, and was .*float16"):
        pack(tmp_path, {"image": config}, records, SEED, "torch", copied=True)


@pytest.mark.parametrize("users", [["ann"], []])
def test_of_users_who_are_left_out_nothing_is_left(bundle, tmp_path, users):
    folder = tmp_path / "kept"
    folder.mkdir()
    Bundle.read(bundle).keep(users).write(folder)
    for file in folder.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            names = ["bob", "zoë", *(["ann"] if not users else [])]
            # A tag of the vocabulary may hold a name; a user is a string of JSON.
            assert not [name for name in names if json.dumps(name, ensure_ascii=False).encode() in data], file.name
    with Recommender.load(folder, "cpu") as kept:
        assert kept.users == users
    assert suggestions(folder, "ann") == suggestions(bundle, "ann" if users else None)
    assert suggestions(folder, "bob") == suggestions(bundle, None)


def test_a_user_who_is_not_in_it_cannot_be_kept(bundle):
    with pytest.raises(InputError, match="has no user 'eve'"):
        Bundle.read(bundle).keep(["eve"])


def test_the_card_says_whose_habits_it_holds_and_what_it_is_worth(bundle, tmp_path):
    text = (bundle / "README.md").read_text()
    front = text.split("---\n")[1]
    assert "license: agpl-3.0" in front
    assert "0.5000" in front
    assert "names and habits of 4 users" in text
    assert "| F1@5 | 0.500 | 0.400 | 0.600 |" in text
    assert "Seeded weights" in text
    folder = tmp_path / "kept"
    folder.mkdir()
    Bundle.read(bundle).keep([]).write(folder)
    card = (folder / "README.md").read_text()
    assert "holds no names of users" in card
    assert "which had a rare tag" in card
    assert "and when" not in text
    dated = write_bundle(tmp_path / "dated", world("recency", "none"))
    assert "who used which tag how often, and when." in (dated / "README.md").read_text()
    assert "It holds vectors" not in (dated / "README.md").read_text()
    seen = write_bundle(tmp_path / "seen", world("own-photos", "image"))
    assert "**It holds vectors of the users' own photos**" in (seen / "README.md").read_text()


@pytest.mark.parametrize(
    ("kinds", "whom"), [("training", ", whom the model in this folder does not know"), ("training and test", "")]
)
def test_the_card_says_that_new_users_were_folded_in_before_the_test(bundle, kinds, whom, tmp_path):
    read = Bundle.read(bundle)
    manifest = read.manifest.model_copy(update={"fitted_on": {"kinds of posts": kinds}})
    replace(read, manifest=manifest, evaluation={**read.evaluation, "new_users": 2}).write(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert f"from the training posts alone, with 2 new users folded in before the test{whom}, on\n4 test posts" in card
    assert "from the training posts alone, on\n4 test posts" in (bundle / "README.md").read_text()


def test_a_bundle_without_some_users_knows_nothing_of_days(tmp_path):
    untimed = world("recency", "none")
    posts = untimed.posts.with_columns(time=pl.lit(0))
    model = fitted("gaussian-process", "none", posts, untimed.features)
    bundle = write_bundle(tmp_path / "days", replace(untimed, posts=posts, model=model))
    (kept := tmp_path / "kept").mkdir()
    Bundle.read(bundle).keep([]).write(kept)
    assert Bundle.read(bundle).model.dates_strangers
    assert not Bundle.read(kept).model.dates_strangers
    card = (kept / "README.md").read_text()
    assert "and two of\nthem together.\n" in card
    assert "day" not in card


@pytest.mark.parametrize("kind", ["popular", "user-popular", "co-occurrence", "recency"])
def test_a_model_that_sees_no_photo_needs_no_network(tmp_path, kind):
    folder = write_bundle(tmp_path / "blind", world(kind, "none"))
    with Recommender.load(folder, "cpu") as recommender:
        first, broken = recommender.suggest([world().files[0], PhotoFile("broken", b"")], "ann")
    assert len(first) == 9
    assert broken.reason == "not an image"


def test_habits_are_read_as_they_were_written(tmp_path):
    habits = Habits.count(world().posts, world().model.tags)
    habits.keep(["ann", "zoë"]).write(tmp_path / "habits")
    read = Habits.read(tmp_path / "habits", len(world().model.tags))
    assert list(read.users.items()) == [("ann", 5), ("zoë", 5)]
    for user in ("ann", "bob", "zoë", None):
        np.testing.assert_array_equal(read.of(user), habits.keep(["ann", "zoë"]).of(user))
    more = read.with_posts("bob", [["tag 1", "unheard of"], []], world().model.tags)
    assert more.users["bob"] == 2
    assert more.of("bob").sum() == 1
    assert more.posts == habits.posts + 2
