"""Photos in shards: packed, resumed, read back."""

import hashlib
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

from pipeline.data import shards
from pipeline.data.packed import PackedPhoto, read_packed
from pipeline.data.photo import Photo, PhotoError
from pipeline.data.shards import list_photos, pack, packed, read_photos
from pipeline.errors import ArtifactError, DamagedError


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "PHOTOS_PER_SHARD", 4)
    monkeypatch.setattr(shards, "PHOTOS_PER_ROW_GROUP", 2)


def load(name: str) -> Photo:
    if name.startswith("bad"):
        raise PhotoError("undecodable")
    return Photo(name, f"jpeg of {name}".encode(), len(name), 32)


NAMES = ["d", "a", "c", "bad1", "b", "f", "e", "bad2", "h", "g"]
GOOD = ["a", "b", "c", "d", "e", "f", "g", "h"]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.usefixtures("small_shards")
def test_photos_come_back_in_the_order_of_their_ids(tmp_path):
    failures = pack(NAMES, load, tmp_path / "photos", tmp_path / "work", "key")
    assert failures == {"bad1": "undecodable", "bad2": "undecodable"}
    assert sorted(contents(tmp_path / "photos")) == ["00000.parquet", "00001.parquet", "00002.parquet"]
    assert list(read_photos(tmp_path / "photos")) == [load(name) for name in GOOD]
    expected = pl.DataFrame(
        {"photo": GOOD, "width": [1] * 8, "height": [32] * 8},
        {"photo": pl.String, "width": pl.Int32, "height": pl.Int32},
    )
    assert packed(tmp_path / "photos").equals(expected)


@pytest.mark.usefixtures("small_shards")
def test_photos_are_listed_by_their_places_and_hashes_and_read_there(tmp_path):
    pack(NAMES, load, tmp_path / "photos", tmp_path / "work", "key")
    listed = list_photos(tmp_path / "photos")
    assert [photo.id for photo in listed] == GOOD
    assert listed[4] == PackedPhoto(
        "e", hashlib.sha256(b"jpeg of e").hexdigest(), tmp_path / "photos" / "00001.parquet", 2
    )
    assert list(read_packed(listed)) == [load(name) for name in GOOD]
    assert list(read_packed(listed[::-2])) == [load(name) for name in GOOD[::-2]]
    assert list_photos(tmp_path / "photos", ["g", "b", "bad1", "absent"]) == [listed[1], listed[6]]


@pytest.mark.usefixtures("small_shards")
def test_only_wanted_photos_are_read(tmp_path):
    pack(NAMES, load, tmp_path / "photos", tmp_path / "work", "key")
    assert [photo.id for photo in read_photos(tmp_path / "photos", ["g", "b", "bad1", "absent"])] == ["b", "g"]
    assert list(read_photos(tmp_path / "photos", [])) == []


@pytest.mark.usefixtures("small_shards")
def test_the_bytes_depend_on_neither_order_nor_threads(tmp_path):
    pack(NAMES, load, tmp_path / "one", tmp_path / "work", "key", threads=1)
    pack(NAMES[::-1], load, tmp_path / "two", tmp_path / "work", "key", threads=3)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.usefixtures("small_shards")
def test_an_interrupted_run_goes_on_where_it_was(tmp_path):
    asked = []

    def interrupted(name: str) -> Photo:
        asked.append(name)
        if name == "f":
            raise KeyboardInterrupt
        return load(name)

    pack(NAMES, load, tmp_path / "undisturbed", tmp_path / "work", "key")
    with pytest.raises(KeyboardInterrupt):
        pack(NAMES, interrupted, tmp_path / "photos", tmp_path / "work", "key", threads=1)
    assert not (tmp_path / "photos").exists()
    first_run, asked[:] = set(asked), []

    def counted(name: str) -> Photo:
        asked.append(name)
        return load(name)

    failures = pack(NAMES, counted, tmp_path / "photos", tmp_path / "work", "key", threads=1)
    assert failures == {"bad1": "undecodable", "bad2": "undecodable"}, "the first run's failures are known, too"
    assert set(NAMES) - set(asked) == {"a", "b", "bad1", "bad2"} <= first_run
    assert contents(tmp_path / "photos") == contents(tmp_path / "undisturbed")


@pytest.mark.usefixtures("small_shards")
def test_another_key_starts_anew(tmp_path):
    def interrupted(name: str) -> Photo:
        if name == "h":
            raise KeyboardInterrupt
        return Photo(name, b"old", 32, 32)

    with pytest.raises(KeyboardInterrupt):
        pack(GOOD, interrupted, tmp_path / "photos", tmp_path / "work", "key")
    pack(GOOD, load, tmp_path / "photos", tmp_path / "work", "another key")
    assert list(read_photos(tmp_path / "photos")) == [load(name) for name in GOOD]


def test_half_done_work_on_other_photos_is_deleted_and_nothing_else(tmp_path):
    """Packing was killed (C11), and the photos are others now: the shards that wait are of no more use."""

    def interrupted(_name: str) -> Photo:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(["old"], interrupted, tmp_path / "photos", tmp_path / "work", "key")
    (tmp_path / "work/journal.sqlite").touch()
    pack(["new"], load, tmp_path / "photos", tmp_path / "work", "key")
    assert {path.name for path in (tmp_path / "work").rglob("*")} == {"packing", "journal.sqlite"}


@pytest.mark.parametrize("change", ["Pillow", "code", "shard"])
def test_half_done_work_of_another_way_to_prepare_is_not_resumed(tmp_path, monkeypatch, change):
    def interrupted(_name: str) -> Photo:
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            pack(["a"], interrupted, tmp_path / "photos", tmp_path / "work", "key")
        (begun,) = (tmp_path / "work/packing").iterdir()
    (tmp_path / "photo.py").write_text("another way")
    match change:
        case "Pillow":
            monkeypatch.setattr("PIL.__version__", "0.0")
        case "code":
            monkeypatch.setattr("pipeline.data.photo.__file__", str(tmp_path / "photo.py"))
        case "shard":
            monkeypatch.setattr(shards, "PHOTOS_PER_SHARD", 3)
    with pytest.raises(KeyboardInterrupt):
        pack(["a"], interrupted, tmp_path / "photos", tmp_path / "work", "key")
    (another,) = (tmp_path / "work/packing").iterdir()
    assert another != begun


KILLED = """
import os, sys, time
from pathlib import Path
from pipeline.data import shards
shards.PHOTOS_PER_SHARD, shards.PHOTOS_PER_ROW_GROUP = 4, 2

def load(name):
    os.write(1, f"{name}\\n".encode())  # In one piece: there are two threads.
    time.sleep(float(sys.argv[2]))
    return shards.Photo(name, name.encode() * 1000, 32, 32)

folder = Path(sys.argv[1])
shards.pack([f"{number:02}" for number in range(20)], load, folder / "photos", folder / "work", "key")
"""


def test_kill_9_loses_at_most_one_shard(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    process = subprocess.Popen([*command, "0.02"], stdout=subprocess.PIPE)
    while len(list(tmp_path.glob("work/packing/*/*.parquet"))) < 2:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "photos").exists()
    finished = len(list(tmp_path.glob("work/packing/*/*.parquet")))
    (work,) = tmp_path.glob("work/packing/*")
    (work / ".00003.parquet.1.tmp").write_bytes(b"what a write leaves that was cut short")
    resumed = subprocess.run([*command, "0"], stdout=subprocess.PIPE, check=True, text=True)
    assert len(resumed.stdout.split()) == 20 - 4 * finished
    assert sorted(contents(tmp_path / "photos")) == [f"0000{number}.parquet" for number in range(5)]
    assert len(list(read_photos(tmp_path / "photos"))) == 20


def test_an_older_folder_is_replaced(tmp_path):
    pack(["old"], load, tmp_path / "photos", tmp_path / "work", "key")
    pack(["new"], load, tmp_path / "photos", tmp_path / "work", "key")
    assert [photo.id for photo in read_photos(tmp_path / "photos")] == ["new"]


def test_no_photos_are_an_empty_folder(tmp_path):
    assert pack([], load, tmp_path / "photos", tmp_path / "work", "key") == {}
    assert list(read_photos(tmp_path / "photos")) == []
    assert packed(tmp_path / "photos").is_empty()


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(ArtifactError, match="does not exist"):
        packed(tmp_path / "photos")


def test_a_damaged_shard_is_named(tmp_path):
    pack(["a"], load, tmp_path / "photos", tmp_path / "work", "key")
    shard = tmp_path / "photos" / "00000.parquet"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:4] + bytes(255 - byte for byte in whole[4:200]) + whole[200:])
    for read in (lambda folder: list(read_photos(folder)), list_photos):
        with pytest.raises(ArtifactError, match=r"00000\.parquet"):
            read(tmp_path / "photos")
    shard.write_bytes(whole[:-10])
    with pytest.raises(ArtifactError, match=r"00000\.parquet"):
        packed(tmp_path / "photos")
    with pytest.raises(ArtifactError, match=r"00000\.parquet"):
        list(read_packed([PackedPhoto("a", "", shard, 0)]))


def test_a_photo_that_changes_after_it_was_listed_is_not_read(tmp_path):
    pack(NAMES, load, tmp_path / "photos", tmp_path / "work", "key")
    listed = list_photos(tmp_path / "photos")
    shard = listed[1].shard
    shard.write_bytes(shard.read_bytes().replace(b"jpeg of b", b"jpeg of c"))
    read = read_packed(listed[:3])
    assert next(read) == load(listed[0].id)
    with pytest.raises(DamagedError, match=r"00000\.parquet is damaged: it has another photo in place of 'b'"):
        next(read)


def test_an_id_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="twice"):
        pack(["a", "a"], load, tmp_path / "photos", tmp_path / "work", "key")


def test_a_failure_of_another_kind_is_not_the_photos(tmp_path):
    def broken(name: str) -> Photo:
        raise RuntimeError(name)

    with pytest.raises(RuntimeError):
        pack(["a"], broken, tmp_path / "photos", tmp_path / "work", "key")
