"""Where networks run."""

import pytest
import torch

from pipeline.errors import InputError
from pipeline.vision.device import pick_device


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


def test_an_absent_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"'cuda'.*choose cpu or auto"):
        pick_device("cuda")


def test_an_unknown_device_is_refused_with_the_choices():
    with pytest.raises(InputError, match="'tpu'; it must be one of auto, cpu, cuda, mps"):
        pick_device("tpu")
