"""Compiled loops: cached between processes, never used when damaged, and compiled again if no cache can be written."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipeline.training.bpr.loops.compiling import compiled

LOOP = """
def double(numbers):
    for place in range(len(numbers)):
        numbers[place] *= 2
"""


@pytest.fixture
def load(tmp_path, monkeypatch) -> Callable[[], Callable[[torch.Tensor], None]]:
    """Compiles the loop as a new process does."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/caches")
    (tmp_path / "loops.py").write_text(LOOP)

    def load() -> Callable[[torch.Tensor], None]:
        spec = importlib.util.spec_from_file_location("loops", tmp_path / "loops.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "loops", module)
        spec.loader.exec_module(module)
        return compiled(module.double)

    return load


def doubles(loop: Callable[[torch.Tensor], None]) -> bool:
    numbers = torch.tensor([1.0, 2.0])
    loop(numbers)
    return numbers.tolist() == [2.0, 4.0]


def kept(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in (folder / "__pycache__").glob("*.nb?")}


def test_code_is_kept_for_the_next_process(load, tmp_path):
    assert doubles(load())
    files = kept(tmp_path)
    assert len(files) == 2
    assert doubles(load())
    assert kept(tmp_path) == files


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", ["emptied", "cut short", "flipped"])
def test_damaged_code_is_compiled_anew(load, tmp_path, suffix, damage):
    """A crash leaves such files, with which numba crashes, or runs other code (P21)."""
    assert doubles(load())
    files = kept(tmp_path)
    (file,) = (file for file in files if file.suffix == suffix)
    data = bytearray(files[file])
    data[len(data) // 2] ^= 16
    file.write_bytes({"emptied": b"", "cut short": data[: len(data) // 2], "flipped": data}[damage])
    assert doubles(load())
    assert all(len(now) >= 100 and now != bytes(data) for now in kept(tmp_path).values())


def test_code_that_cannot_be_kept_runs_nevertheless(load, tmp_path):
    """Neither the folder of the code nor that of the user's caches can be written (P2)."""
    (tmp_path / "__pycache__").touch()
    assert doubles(load())


def test_a_disk_that_is_full_when_code_is_to_be_kept_stops_nothing(load, monkeypatch):
    loop = load()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.os.replace", full)
    assert doubles(loop)
