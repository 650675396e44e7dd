"""Vectors that outgrow memory: mapped from files that are made once, and anew for another store or when damaged."""

import numpy as np
import polars as pl
import pytest

from pipeline.features import unpacked
from pipeline.features.store import StoreConfig, build_store, read_store
from pipeline.files.parquet import write_parquet

PHOTOS = pl.Series([f"p{number:03}" for number in range(100)])
WIDTHS = {"image": 6, "objects": 4}


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacked, "MEMORY_SHARE", 0)
    monkeypatch.setattr(unpacked, "ROWS_PER_CHUNK", 32)
    write(tmp_path / "store.parquet")
    return tmp_path / "store.parquet"


def write(path, seed=0):
    rng = np.random.default_rng(seed)
    frames = {
        name: pl.DataFrame(
            {"photo": PHOTOS, "vector": pl.Series(rng.random((100, width)), dtype=pl.Array(pl.Float32, width))}
        )
        for name, width in WIDTHS.items()
    }
    records = {"image": {"name": "vgg16"}, "objects": {"classes": ["a", "b", "c", "d"]}}
    config = StoreConfig(scaling="standardise", threshold=0.3)
    write_parquet(build_store(frames, records, PHOTOS, PHOTOS[:50], config), path)


def test_mapped_vectors_are_those_that_fit_memory(store, tmp_path):
    fitting, mapped = read_store(store), read_store(store, tmp_path / "unpacked")
    assert mapped.photos.equals(fitting.photos)
    assert mapped.records == fitting.records
    assert list(mapped.raw) == list(fitting.raw) == list(WIDTHS)
    for name in WIDTHS:
        assert isinstance(mapped.matrices[name], np.memmap)
        np.testing.assert_array_equal(mapped.matrices[name], fitting.matrices[name])
        np.testing.assert_array_equal(mapped.raw[name], fitting.raw[name])


def test_vectors_that_fit_memory_stay_there(store, tmp_path, monkeypatch):
    monkeypatch.setattr(unpacked, "MEMORY_SHARE", 1 / 8)
    assert not isinstance(read_store(store, tmp_path / "unpacked").matrices["image"], np.memmap)
    assert not (tmp_path / "unpacked").exists()


def test_only_what_is_asked_for_is_unpacked_and_only_once(store, tmp_path):
    assert "image" in read_store(store, tmp_path / "unpacked").raw
    assert read_store(store, tmp_path / "unpacked").matrices["image"].shape == (100, 6)
    (file,) = (tmp_path / "unpacked").iterdir()
    made = file.stat().st_mtime_ns
    assert read_store(store, tmp_path / "unpacked").matrices["image"].shape == (100, 6)
    assert file.stat().st_mtime_ns == made


def test_a_damaged_file_is_made_again(store, tmp_path):
    before = np.array(read_store(store, tmp_path / "unpacked").matrices["image"])
    (file,) = (tmp_path / "unpacked").iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    np.testing.assert_array_equal(read_store(store, tmp_path / "unpacked").matrices["image"], before)


def test_another_store_takes_the_place_of_the_first(store, tmp_path):
    before = np.array(read_store(store, tmp_path / "unpacked").matrices["image"])
    write(store, seed=1)
    after = read_store(store, tmp_path / "unpacked").matrices["image"]
    np.testing.assert_array_equal(after, read_store(store).matrices["image"])
    assert (after != before).any()
    assert len(list((tmp_path / "unpacked").iterdir())) == 1
