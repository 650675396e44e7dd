"""Where networks run."""

import numpy as np
import pytest
import torch

from pipeline.errors import InputError
from pipeline.features.extraction import device
from pipeline.features.extraction.device import pick_device, pinned


def test_auto_takes_the_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    assert pick_device("auto").type == "cuda"
    assert pick_device("cpu").type == "cpu"


def test_auto_takes_the_cpu_otherwise_and_says_so(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with caplog.at_level("INFO"):
        assert pick_device().type == "cpu"
    assert "Running on cpu" in caplog.text


def test_an_nvidia_gpu_is_fed_by_the_faster_decoder(monkeypatch, tmp_path):
    (tmp_path / "version").touch()
    for place, decoder in (("version", "torchvision"), ("absent", "pillow")):
        monkeypatch.setattr(device, "NVIDIA", tmp_path / place)
        assert device.fastest_decoder() == decoder


def test_an_absent_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no GPU of the kind 'cuda'"):
        pick_device("cuda")


def test_an_unknown_device_is_refused_with_the_choices():
    with pytest.raises(InputError, match="'tpu'; it must be one of auto, cpu, cuda, mps"):
        pick_device("tpu")


class Runtime:
    """As much of CUDA's as pins memory; it has room for so many arrays."""

    def __init__(self, room: int):
        self.room, self.pinned = room, []

    def cudaHostRegister(self, address: int, *_: int) -> int:  # noqa: N802
        full = len(self.pinned) == self.room
        if not full:
            self.pinned.append(address)
        return int(full)

    def cudaHostUnregister(self, address: int) -> None:  # noqa: N802
        self.pinned.remove(address)

    def check_error(self, code: int) -> None:
        if code:
            raise RuntimeError("out of memory")


@pytest.mark.parametrize("room", [0, 1, 2])
def test_memory_that_cannot_be_pinned_only_costs_time(room: int, monkeypatch, caplog):
    runtime, arrays = Runtime(room), [np.zeros(8), np.zeros(8)]
    monkeypatch.setattr(torch.cuda, "cudart", lambda: runtime)
    monkeypatch.setattr(torch.cuda, "check_error", runtime.check_error)
    with pinned(arrays, torch.device("cuda")):
        assert len(runtime.pinned) == room
    assert not runtime.pinned
    assert ("Memory is not pinned (out of memory): copies are slower." in caplog.text) == (room < 2)
