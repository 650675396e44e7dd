"""Checkpoints belong to one run; a damaged one is left alone, and a full disk is not a traceback of another library."""

import logging

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from pipeline.training.bpr import checkpoint as module
from pipeline.training.bpr.checkpoint import Checkpoint, fingerprint

INPUTS = ["settings", 1]
MODELS = ("factorisation.py", "history.py", "own_posts.py")


def tensors():
    yield torch.arange(3)


def test_a_checkpoint_comes_back_to_its_own_run_alone(tmp_path):
    file = tmp_path / "checkpoint.safetensors"
    Checkpoint(file).save("key", {"tag": np.arange(3)}, {"epoch": 2})
    arrays, notes = Checkpoint(file).load("key")
    np.testing.assert_array_equal(arrays["tag"], np.arange(3))
    assert notes["epoch"] == 2
    assert Checkpoint(file).load("another") is None
    assert Checkpoint(tmp_path / "none").load("key") is None


@pytest.mark.parametrize("broken", ["text", "other", "bit"])
def test_a_damaged_checkpoint_is_deleted_and_a_warning_says_so(tmp_path, broken, caplog):
    file = tmp_path / "checkpoint.safetensors"
    if broken == "text":
        file.write_text("no checkpoint")
    elif broken == "bit":
        Checkpoint(file).save("key", {"tag": np.arange(3)}, {"epoch": 2})
        data = file.read_bytes()
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    else:
        save_file({"weight": np.zeros(1)}, file)
    with caplog.at_level(logging.WARNING):
        assert Checkpoint(file).load("key") is None
    assert "checkpoint.safetensors is damaged" in caplog.text
    assert "training begins again" in caplog.text
    assert not file.exists()


def test_the_key_is_that_of_the_inputs_and_the_data():
    key = fingerprint(INPUTS, tensors())
    assert fingerprint(INPUTS, tensors()) == key
    assert fingerprint(["settings", 2], tensors()) != key
    assert fingerprint(INPUTS, [torch.tensor([0, 1, 3])]) != key


def test_the_key_tells_the_same_numbers_in_other_shapes_apart():
    numbers = torch.arange(6)
    parts = ([numbers], [numbers.view(2, 3)], [numbers[:2], numbers[2:]])
    assert len({fingerprint(INPUTS, some) for some in parts}) == len(parts)
    bits = [torch.zeros(2, dtype=kind) for kind in (torch.int32, torch.float32)]
    assert len({fingerprint(INPUTS, [some]) for some in bits}) == 2


@pytest.mark.parametrize("changed", ["loops/cpu.py", "train.py", *MODELS, "numba"])
def test_the_key_changes_with_the_code_and_the_libraries(tmp_path, monkeypatch, changed):
    (tmp_path / "loops").mkdir()
    files = [tmp_path / name for name in ("checkpoint.py", "train.py", "loops/cpu.py", *MODELS)]
    for file in files:
        file.write_text("before")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "checkpoint.py"))
    for name in MODELS:
        monkeypatch.setattr(getattr(module, name.removesuffix(".py")), "__file__", str(tmp_path / name))
    monkeypatch.setattr(module, "version", lambda name: "1.0")  # noqa: ARG005
    key = fingerprint(INPUTS, tensors())
    if changed == "numba":
        monkeypatch.setattr(module, "version", lambda name: "2.0" if name == "numba" else "1.0")
    else:
        (tmp_path / changed).write_text("after")
    assert fingerprint(INPUTS, tensors()) != key
