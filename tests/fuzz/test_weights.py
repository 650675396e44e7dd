"""Weights, damaged or hostile, with matching hashes: they load, or one sentence says why not; no code is run."""

import builtins
import io
import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.features.config import WeightsFile
from pipeline.features.networks.darknet.config import Yolov2Config
from pipeline.features.networks.ultralytics.config import UltralyticsExportConfig
from pipeline.files.seal import sha256
from tests.support.extractors import EXAMPLES, SAMPLE_DETECTOR, SIZE, detector_in, squeezenet
from tests.support.fuzzing import damaged, fuzz, sentence_of

CPU = torch.device("cpu")
CALLS = [
    (os.system, ("touch {}",)), (builtins.eval, ("open('{}', 'w')",)), (builtins.exec, ("open('{}', 'w')",)),
    (builtins.open, ("{}", "w")), (os.mkdir, ("{}",)), (Path.touch, (Path("{}"),)),
]  # fmt: skip
"""Calls that a hostile pickle may contain; each writes something to a path."""


class Bomb:
    """An object whose pickle contains a call."""

    def __init__(self, call: tuple):
        self.call = call

    def __reduce__(self):
        return self.call


def hostile(call: tuple, form: str) -> bytes:
    """The bytes of a checkpoint that contains a call."""
    bomb, buffer = Bomb(call), io.BytesIO()
    match form:
        case "pickle":
            return pickle.dumps(bomb)
        case "old":
            torch.save({"model": bomb}, buffer, _use_new_zipfile_serialization=False)
        case "module":
            network = torch.nn.Linear(1, 1)
            network.hook = bomb
            torch.save({"model": network}, buffer)
        case "values":
            torch.save({"model": {"weight": torch.zeros(1), "more": [bomb]}, "epoch": bomb}, buffer)
    return buffer.getvalue()


@fuzz(12)
@given(
    call=st.sampled_from(CALLS),
    form=st.sampled_from(["pickle", "old", "module", "values"]),
    suffix=st.sampled_from([".pt", ".safetensors"]),
)
def test_a_checkpoint_runs_no_code(tmp_path_factory, call, form, suffix):
    folder = tmp_path_factory.mktemp("hostile")
    canary, path = folder / "CANARY", folder / f"weights{suffix}"
    function, arguments = call
    path.write_bytes(hostile((function, tuple(type(each)(str(each).format(canary)) for each in arguments)), form))
    detector = detector_in(path)
    assert sentence_of(lambda: detector.load(0, CPU), quoting=True) is not None
    weights = WeightsFile(kind="file", path=str(path), sha256=sha256(path))
    backbone = squeezenet(weights)
    assert sentence_of(lambda: backbone.load(0, CPU), quoting=True) is not None
    assert not canary.exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, list[tuple[str, bytes]]]:
    """The files of an extractor of each kind that has some."""
    folder = tmp_path_factory.mktemp("whole")
    backbone = EXAMPLES["torchvision"](folder).config
    state = backbone.copy_weights(backbone.load(0, CPU), folder / "backbone")
    detector = detector_in(SAMPLE_DETECTOR)
    plain = detector.copy_weights(detector.load(0, CPU), folder / "plain")
    darknet = Path(EXAMPLES["yolov2"](folder).config.detector)
    return {
        "torchvision": [("w.safetensors", state.read_bytes())],
        "ultralytics": [("w.pt", SAMPLE_DETECTOR.read_bytes())],
        "ultralytics as safetensors": [("w.safetensors", plain.read_bytes())],
        "yolov2": [("w.weights", darknet.read_bytes()), ("w.cfg", darknet.with_suffix(".cfg").read_bytes())],
        "onnx": [("w.onnx", b"\x08\x0a\x12\x07pytorch")],
        "tflite": [("w.tflite", b"\x1c\0\0\0TFL3")],
    }


KINDS = ["torchvision", "ultralytics", "ultralytics as safetensors", "yolov2", "onnx", "tflite"]


def load(kind: str, path: Path) -> None:
    """Loads the network of a kind from a file, whose hash is known."""
    hash = sha256(path)
    match kind.split()[0]:
        case "torchvision":
            weights = WeightsFile(kind="file", path=str(path), sha256=hash)
            squeezenet(weights).load(0, CPU)
        case "ultralytics":
            detector_in(path).load(0, CPU)
        case "yolov2":
            Yolov2Config(
                kind="yolov2", detector=str(path), sha256=hash, input_size=SIZE, precision="float32", runtime="torch"
            ).load(0, CPU)
        case _:
            UltralyticsExportConfig(kind="ultralytics-export", detector=str(path), sha256=hash, input_size=SIZE).load(
                0, CPU
            )


@pytest.mark.parametrize("kind", KINDS)
@fuzz(6)
@given(data=st.data())
def test_damaged_weights_are_a_network_or_one_sentence(tmp_path_factory, whole, kind, data):
    folder = tmp_path_factory.mktemp("damaged")
    files = whole[kind]
    broken = data.draw(st.sampled_from(range(len(files))))
    for number, (name, content) in enumerate(files):
        changed = data.draw(damaged(content)) if number == broken else content
        (folder / name).write_bytes(changed)
    sentence_of(lambda: load(kind, folder / files[0][0]), quoting=True)
