"""LiteRT's .tflite files: a small detector whose answer torch tells, as exporters write it, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("ai_edge_litert", reason="pip install '.[tflite]'")

from pipeline.errors import InputError
from pipeline.features.config import BATCH
from pipeline.features.networks.ultralytics import exports
from pipeline.features.networks.ultralytics.autobackend import ExportedDetector
from pipeline.features.networks.ultralytics.config import UltralyticsExportConfig
from pipeline.files.seal import sha256
from tests.support.tflite_files import KNOWN, PatchDetector

SIZE = 64
CPU = torch.device("cpu")


@pytest.fixture
def detector() -> PatchDetector:
    return PatchDetector(SIZE, np.random.default_rng(0))


@pytest.fixture
def pixels() -> np.ndarray:
    """Coarse coloured noise, as a detector prepares it: bytes."""
    return np.random.default_rng(1).integers(0, 256, (BATCH, 4, 4, 3), np.uint8).repeat(16, 1).repeat(16, 2)


def load(path: Path, size: int = SIZE) -> ExportedDetector:
    config = UltralyticsExportConfig(
        kind="ultralytics-export", detector=str(path), sha256=sha256(path), input_size=size
    )
    return config.load(0, CPU)


@pytest.mark.parametrize("channels_first", [True, False])
@pytest.mark.parametrize("batch", [1, 4])
def test_the_feature_is_what_torch_computes(detector, pixels, tmp_path: Path, batch: int, channels_first: bool):
    extractor = load(detector.save(tmp_path / "model.tflite", batch, channels_first))
    expected = detector.expected(pixels)
    assert expected.std(0).mean() > 0.01, "photos that all look the same to it prove nothing"
    for count in (BATCH, 5, 1):
        given = extractor.compute(pixels[:count])
        assert given.dtype == np.float32
        np.testing.assert_allclose(given, expected[:count], atol=1e-5)


def test_a_name_that_ultralytics_would_change_is_no_obstacle(detector, pixels, tmp_path: Path):
    extractor = load(detector.save(tmp_path / "it's a model?.tflite"))
    np.testing.assert_allclose(extractor.compute(pixels), detector.expected(pixels), atol=1e-5)
    assert extractor.record["name"] == "it's a model?.tflite"


def test_integers_are_read_as_the_probabilities_they_stand_for(detector, pixels, tmp_path: Path):
    extractor = load(detector.save(tmp_path / "model.tflite", step=1 / 255))
    np.testing.assert_allclose(extractor.compute(pixels), detector.expected(pixels), atol=0.5 / 255 + 1e-5)


def test_integers_too_coarse_for_probabilities_are_refused(detector, tmp_path: Path):
    path = detector.save(tmp_path / "model.tflite", step=SIZE / 255)
    with pytest.raises(InputError, match=r"gives int8 in steps of 0\.25, which .* with float32 for outputs"):
        load(path)


def test_pixels_in_float16_are_refused(detector, tmp_path: Path):
    path = detector.save(tmp_path / "model.tflite", takes=np.float16)
    with pytest.raises(InputError, match="takes pixels as float16: export it with float32 for inputs"):
        load(path)


def test_a_file_that_does_not_say_what_it_detects_is_refused(detector, tmp_path: Path):
    path = detector.save(tmp_path / "model.tflite", known=None)
    with pytest.raises(InputError, match="does not note its task and classes, as ultralytics' exports do"):
        load(path)


def test_other_classes_and_sizes_are_refused(detector, tmp_path: Path):
    two = detector.save(tmp_path / "two.tflite", known=KNOWN | {"names": {0: "helmet", 1: "vest"}})
    with pytest.raises(InputError, match=r"does not detect COCO's 80 classes.*has 2 \(helmet, vest"):
        load(two)
    with pytest.raises(InputError, match=r"input_size is 96; .*model\.tflite was exported for 64 × 64 pixels"):
        load(detector.save(tmp_path / "model.tflite"), 96)


@pytest.mark.parametrize("kept", [0, 100, -10_000])
def test_a_broken_file_is_refused(detector, tmp_path: Path, kept: int):
    path = detector.save(tmp_path / "model.tflite")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"model\.tflite is not a model that ai_edge_litert loads"):
        load(path)


def test_the_record_says_what_ran(detector, tmp_path: Path):
    path = detector.save(tmp_path / "model.tflite")
    record = load(path).record
    assert (record["name"], record["weights"], record["sha256"]) == ("model.tflite", "file", sha256(path))
    assert set(record["versions"]) == {"pillow", "torch", "ultralytics", "ai-edge-litert"}


def test_a_missing_runtime_is_named_with_what_installs_it(detector, tmp_path: Path, monkeypatch):
    path = detector.save(tmp_path / "model.tflite")
    monkeypatch.setattr(exports, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"needs the package ai_edge_litert.*pip install '\.\[tflite\]'"):
        load(path)
