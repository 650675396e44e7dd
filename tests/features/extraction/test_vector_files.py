"""Finished vectors on disk."""

import os
import resource
import signal
import subprocess
from errno import EACCES, EIO, EMFILE, ESTALE
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.data.schema import PHOTO_HASH
from pipeline.errors import InputError
from pipeline.features.extraction import vector_files
from pipeline.features.extraction.vector_files import VectorFiles
from pipeline.features.record import vector_table
from pipeline.files.parquet import write_parquet


def vectors(*first: float) -> np.ndarray:
    """Vectors of two numbers, each the given one and its half."""
    return np.array([[number, number / 2] for number in first], np.float32)


def files(folder: Path) -> list[Path]:
    return list(folder.glob("*.parquet"))


def test_what_is_added_is_kept_by_key(tmp_path: Path):
    kept = VectorFiles(tmp_path, 2)
    kept.add(["a", "b"], vectors(1, 2))
    kept.flush()
    kept.add(["c"], vectors(3))
    kept.flush()
    again = VectorFiles(tmp_path, 2)
    assert again.hashes() == {"a", "b", "c"}
    into = np.zeros((3, 2), np.float32)
    again.gather({"c": 0, "a": 2}, into)
    assert into.tolist() == [[3, 1.5], [0, 0], [1, 0.5]]


def test_a_key_may_lie_in_two_parts(tmp_path: Path):
    for keys in (["a", "b"], ["b", "c"]):  # As two runs at once leave them.
        kept = VectorFiles(tmp_path, 2)
        kept.add(keys, vectors(*(ord(key) for key in keys)))
    into = np.zeros((3, 2), np.float32)
    VectorFiles(tmp_path, 2).gather({"a": 0, "b": 1, "c": 2}, into)
    assert into[:, 0].tolist() == [97, 98, 99]
    with pytest.raises(InputError, match="has lost the vectors of 1 photo: run again"):
        VectorFiles(tmp_path, 2).gather({"a": 0, "b": 1, "d": 2}, into)


def test_a_part_is_written_at_once_and_then_every_few_seconds(tmp_path: Path, monkeypatch):
    now = 100.0
    monkeypatch.setattr(vector_files.time, "monotonic", lambda: now)
    kept = VectorFiles(tmp_path, 2)
    kept.add(["a"], vectors(1))
    (first,) = files(tmp_path)
    now += vector_files.SECONDS / 2
    kept.add(["b"], vectors(2))
    assert files(tmp_path) == [first]
    now += vector_files.SECONDS / 2
    kept.add(["c"], vectors(3))
    (second,) = set(files(tmp_path)) - {first}
    assert pq.read_table(second)[PHOTO_HASH].to_pylist() == ["b", "c"]
    kept.add(["d"], vectors(4))
    assert len(files(tmp_path)) == 2
    kept.flush()
    assert len(files(tmp_path)) == 3


@pytest.mark.parametrize(
    "error",
    [*(OSError(number, os.strerror(number)) for number in (EACCES, EIO, EMFILE, ESTALE)), MemoryError("full")],
    ids=str,
)
def test_what_cannot_be_read_now_is_not_deleted(error: Exception, tmp_path: Path, monkeypatch):
    kept = VectorFiles(tmp_path, 2)
    kept.add(["a"], vectors(1))

    def fail(_: Path) -> None:
        raise error

    with monkeypatch.context() as broken, pytest.raises(type(error)):
        broken.setattr(Path, "read_bytes", fail)
        VectorFiles(tmp_path, 2).hashes()
    assert VectorFiles(tmp_path, 2).hashes() == {"a"}


@pytest.mark.parametrize("damage", ["page", "key"])
def test_what_is_broken_inside_is_deleted_and_logged(damage: str, tmp_path: Path, caplog):
    path = tmp_path / "0.parquet"
    key = b"\xff" if damage == "key" else b"a"  # No UTF-8.
    column = pa.Array.from_buffers(pa.string(), 1, [None, pa.array([0, 1], pa.int32()).buffers()[1], pa.py_buffer(key)])
    write_parquet(vector_table(PHOTO_HASH, ["a"], vectors(1)).set_column(0, PHOTO_HASH, column), path)
    if damage == "page":
        path.write_bytes(path.read_bytes()[:4] + bytes(20) + path.read_bytes()[24:])
    assert VectorFiles(tmp_path, 2).hashes() == set()
    assert not path.exists()
    assert f"{path} is broken" in caplog.text


def test_a_part_that_vanishes_while_it_is_read_stops_nothing(tmp_path: Path, monkeypatch):
    for name in "ab":
        write_parquet(vector_table(PHOTO_HASH, [name], vectors(1)), tmp_path / f"{name}.parquet")
    read = Path.read_bytes

    def delete_first(path: Path) -> bytes:
        (tmp_path / "a.parquet").unlink(missing_ok=True)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", delete_first)
    assert VectorFiles(tmp_path, 2).hashes() == {"b"}


def test_what_killed_runs_left_is_deleted_and_what_others_write_is_not(tmp_path: Path):
    killed, alive = subprocess.Popen(["sleep", "60"]), subprocess.Popen(["sleep", "60"])
    killed.kill()
    killed.wait()
    left, own, others = (tmp_path / f".0a.parquet.{pid}.tmp" for pid in (killed.pid, os.getpid(), alive.pid))
    for path in (left, own, others):
        path.write_bytes(b"half")
    try:
        assert VectorFiles(tmp_path, 2).hashes() == set()
    finally:
        alive.kill()
        alive.wait()
    assert list(tmp_path.iterdir()) == [others]


def test_nothing_is_written_for_nothing(tmp_path: Path):
    kept = VectorFiles(tmp_path, 2)
    kept.flush()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_ends_in_a_sentence_and_loses_nothing_kept_before(tmp_path: Path):
    kept = VectorFiles(tmp_path, 512)
    kept.add(["a"], np.ones((1, 512), np.float32))
    kept.flush()
    kept.add([f"k{number}" for number in range(1000)], np.random.default_rng(0).random((1000, 512), np.float32))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match=rf"File too large: '{tmp_path}/\w+\.parquet'"):
            kept.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert VectorFiles(tmp_path, 512).hashes() == {"a"}
    assert len(list(tmp_path.iterdir())) == 1  # And no half a part.
    kept.flush()
    assert len(VectorFiles(tmp_path, 512).hashes()) == 1001
