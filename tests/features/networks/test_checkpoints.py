"""Detectors as safetensors: the same numbers, and no code."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from pipeline.errors import InputError, SettingError
from pipeline.features.images import decode
from pipeline.features.networks.ultralytics.checkpoints import read_checkpoint, write_plain
from pipeline.features.networks.ultralytics.config import UltralyticsConfig
from pipeline.files.seal import sha256
from pipeline.files.tensors import write_safetensors


def config(path: Path) -> UltralyticsConfig:
    return UltralyticsConfig(
        kind="ultralytics", detector=str(path), sha256=sha256(path), input_size=64, precision="float32", runtime="torch"
    )


@pytest.fixture(scope="module")
def yolov8(save) -> Path:
    return save("yolov8n.yaml")


def test_a_detector_as_safetensors_computes_what_its_checkpoint_does(yolov8: Path, tmp_path: Path, photos, cpu):
    plain = write_plain(read_checkpoint(yolov8), tmp_path / "plain.safetensors")
    detector, same = config(yolov8).load(0, cpu), config(plain).load(0, cpu)
    pixels = np.stack([detector.preprocess(decode(photo)) for photo in photos(2)])
    np.testing.assert_array_equal(same.compute(pixels), detector.compute(pixels))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("class",), "WorldModel"),
        (("layers", "activation"), "__import__('pathlib').Path('ran').touch()"),
        (("layers", "backbone"), [[-1, 1, "load_checkpoint", ["weights.pt"]]]),
        (("layers", "head"), []),
        (("names",), None),
    ],
)
def test_an_architecture_that_is_none_is_refused_and_runs_nothing(place, value, yolov8: Path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = write_plain(read_checkpoint(yolov8), tmp_path / "plain.safetensors")
    with safe_open(plain, "np") as file:
        described = json.loads(file.metadata()["architecture"])
    node = described
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    write_safetensors(load_file(plain), {"architecture": json.dumps(described)}, plain)
    with pytest.raises(InputError, match="holds no network of ultralytics"):
        read_checkpoint(plain)
    assert not (tmp_path / "ran").exists()


def test_a_network_that_is_more_than_its_architecture_is_not_written(yolov8: Path, tmp_path):
    network = read_checkpoint(yolov8)
    network.__class__ = type("WorldModel", (type(network),), {})
    with pytest.raises(SettingError, match="is a WorldModel, which cannot be written without code"):
        write_plain(network, tmp_path / "plain.safetensors")
