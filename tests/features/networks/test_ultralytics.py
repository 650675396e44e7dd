"""Object features: every detection head, safe loading, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.errors import InputError
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.config import ObjectFeaturesConfig
from pipeline.features.extractor import BATCH
from pipeline.features.images import decode
from pipeline.features.networks.ultralytics import detector as detectors
from pipeline.features.networks.ultralytics.detector import Detector, load_detector
from pipeline.files import sha256

SIZE = 64


def config(path: Path | str, size: int = SIZE) -> ObjectFeaturesConfig:
    return ObjectFeaturesConfig(detector=str(path), sha256=sha256(Path(path)), input_size=size, precision="float32")


@pytest.fixture(scope="module")
def yolov8(save) -> Path:
    return save("yolov8n.yaml")


@pytest.fixture(scope="module")
def detector(yolov8: Path) -> Detector:
    return load_detector(config(yolov8), torch.device("cpu"))


def seen(photos, extractor: Detector, count: int) -> np.ndarray:
    return np.stack([extractor.preprocess(decode(photo)) for photo in photos(count)])


def test_the_feature_is_the_maximum_over_anchors_of_the_unfolded_model(yolov8: Path, detector: Detector, photos):
    pixels = seen(photos, detector, 2)
    model = torch.load(yolov8, weights_only=False)["model"].eval()
    with torch.inference_mode():
        decoded, _ = model(torch.from_numpy(pixels).float() / 255)
    assert decoded.shape == (2, 4 + 80, 64 + 16 + 4)
    vectors = detector.compute(pixels)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, decoded[:, 4:].amax(2), atol=1e-5)
    assert vectors.std(0).mean() > 1e-3  # A hundred times what may differ: the photos are told apart.
    assert ((vectors > 0.01) & (vectors < 0.99)).mean() > 0.5


def test_batch_normalisation_is_folded(detector: Detector):
    assert not [layer for layer in detector.network.modules() if isinstance(layer, nn.BatchNorm2d)]


def test_a_photo_has_the_same_features_alone_and_among_others(detector: Detector, photos):
    pixels = seen(photos, detector, BATCH)
    together = detector.compute(pixels)
    alone = np.concatenate([detector.compute(pixels[[number]]) for number in range(BATCH)])
    np.testing.assert_allclose(alone, together, atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "kind", "end2end"),
    [
        ("yolov5n.yaml", "DetectionModel", None),
        ("yolov10n.yaml", "DetectionModel", True),
        ("yolo11n.yaml", "DetectionModel", None),
        ("yolo26n.yaml", "DetectionModel", False),
        ("yolo26n.yaml", "DetectionModel", True),
        ("yolov8s-worldv2.yaml", "WorldModel", None),
        ("rtdetr-l.yaml", "RTDETRDetectionModel", None),
    ],
)
def test_every_head_gives_its_best_score_of_each_class(architecture, kind, end2end, save, photos, cpu):
    path = save(architecture, kind, **({} if end2end is None else {"end2end": end2end}))
    extractor = load_detector(config(path), cpu)
    pixels = seen(photos, extractor, 2)
    vectors = extractor.compute(pixels)
    with torch.inference_mode():
        found, _ = extractor.network(torch.from_numpy(pixels).float() / 255)
    if found.shape[2] == 6:  # Boxes, score and class of the best candidates, of all classes together.
        best = np.zeros((2, 80), np.float32)
        for photo, boxes in enumerate(found.numpy()):
            np.maximum.at(best[photo], boxes[:, 5].astype(int), boxes[:, 4])
        present = best > 0
        assert present.any(1).all()
        np.testing.assert_allclose(vectors[present], best[present], atol=1e-5)
        np.testing.assert_allclose(vectors.max(1), best.max(1), atol=1e-5)
    else:
        np.testing.assert_allclose(vectors, found[:, 4:].amax(2), atol=1e-5)


class Evil:
    """Unpickled, it writes a file."""

    def __init__(self, victim: Path):
        self.victim = victim

    def __reduce__(self):
        return os.system, (f"touch {self.victim}",)


@pytest.mark.parametrize("where", ["checkpoint", "model", "legacy"])
def test_code_in_a_file_does_not_run(where: str, yolov8: Path, tmp_path: Path, cpu):
    victim, path = tmp_path / "victim", tmp_path / "evil.pt"
    checkpoint = torch.load(yolov8, weights_only=False)
    if where == "model":
        checkpoint["model"].names = Evil(victim)
    else:
        checkpoint["more"] = Evil(victim)
    torch.save(checkpoint, path, _use_new_zipfile_serialization=where != "legacy")
    with pytest.raises(InputError, match="without running code"):
        load_detector(config(path), cpu)
    assert not victim.exists()
    torch.load(path, weights_only=False)
    assert victim.exists(), "the file was no danger at all"


def test_a_file_is_checked_before_it_is_read(yolov8: Path, monkeypatch, cpu):
    monkeypatch.setattr(detectors, "load", lambda _: pytest.fail("it was read"))
    with pytest.raises(InputError, match=r"objects\.sha256 is 000"):
        load_detector(
            ObjectFeaturesConfig(detector=str(yolov8), sha256="0" * 64, input_size=SIZE, precision="float32"), cpu
        )


def test_a_file_without_a_hash_is_refused_telling_it(yolov8: Path, cpu):
    with pytest.raises(InputError, match=f"objects.sha256 is null; that of .* is {sha256(yolov8)}"):
        load_detector(
            ObjectFeaturesConfig(detector=str(yolov8), sha256=None, input_size=SIZE, precision="float32"), cpu
        )


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 cut short"])
def test_what_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path, cpu):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.pt is not a checkpoint.*downloaded by name, delete it and run again"):
        load_detector(config(path), cpu)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("helmet", "vest"), r"has 2 \(helmet, vest"),
        (("bicycle", "person", *COCO_CLASSES[2:]), r"has 80 \(bicycle, person, car"),
    ],
)
def test_other_classes_than_cocos_are_refused_by_name(names, said, save, cpu):
    path = save("yolov8n.yaml", names=names, options={"nc": len(names)})
    with pytest.raises(InputError, match=f"does not detect COCO's 80 classes.*{said}"):
        load_detector(config(path), cpu)


@pytest.mark.parametrize(
    ("architecture", "kind", "task"),
    [("yolov8n-seg.yaml", "SegmentationModel", "segment"), ("yolov8n-cls.yaml", "ClassificationModel", "classify")],
)
def test_other_tasks_than_detection_are_refused(architecture, kind, task, save, cpu):
    path = save(architecture, kind, task=task, options={"nc": 80})
    with pytest.raises(InputError, match=f"a model for the task '{task}'"):
        load_detector(config(path), cpu)


def test_a_device_that_fails_is_no_matter_of_size(yolov8: Path, said_of_a_device_that_fails, cpu):
    with said_of_a_device_that_fails:
        load_detector(config(yolov8), cpu)


def test_an_unknown_name_is_refused_with_near_ones(cpu):
    with pytest.raises(InputError, match=r"'yolo11q.pt'.*Near: .*yolo11"):
        load_detector(
            ObjectFeaturesConfig(detector="yolo11q.pt", sha256=None, input_size=SIZE, precision="float32"), cpu
        )


def test_a_name_is_downloaded_and_checked(yolov8: Path, monkeypatch, cpu):
    asked = []

    def fake(url: str, expected: str | None) -> tuple[Path, str]:
        asked.append((url, expected))
        return yolov8, "e" * 64

    monkeypatch.setattr(detectors, "downloaded", fake)
    extractor = load_detector(
        ObjectFeaturesConfig(detector="yolo11n.pt", sha256=None, input_size=SIZE, precision="float32"), cpu
    )
    (url, expected), *_ = asked
    assert url.startswith("https://github.com/ultralytics/assets/releases/download/")
    assert url.endswith("/yolo11n.pt")
    assert expected == "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1"
    assert extractor.record["name"] == "yolo11n.pt"
    assert extractor.record["sha256"] == "e" * 64
    load_detector(
        ObjectFeaturesConfig(detector="yolo11n.pt", sha256="f" * 64, input_size=SIZE, precision="float32"), cpu
    )
    assert asked[-1] == (url, "f" * 64), "a hash of the user's goes before the published one"


def test_ultralytics_is_kept_quiet_and_what_the_user_set_stays(yolov8: Path, tmp_path: Path):
    code = """
import os, socket, sys, torch
def refuse(*arguments): raise SystemExit(f"it looks for the network: {arguments}")
socket.socket.connect = socket.getaddrinfo = refuse
from pathlib import Path
from pipeline.features.networks.ultralytics.detector import load
load(Path(sys.argv[1]))
print(os.environ["YOLO_OFFLINE"], os.environ["YOLO_AUTOINSTALL"], os.environ["YOLO_CONFIG_DIR"])
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("YOLO_")}
    environment |= {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", code, str(yolov8)]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert said[:2] == ["true", "false"]
    assert Path(said[2]).parent == tmp_path
    assert not list(tmp_path.glob("**/Ultralytics")), "its settings outlive the process"
    environment |= {"YOLO_CONFIG_DIR": str(tmp_path / "mine"), "YOLO_AUTOINSTALL": "true"}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert said == ["true", "true", str(tmp_path / "mine")]


@pytest.mark.gpu
def test_a_gpu_gives_what_the_cpu_gives(yolov8: Path, gpu: torch.device, detector: Detector, photos):
    on_gpu = load_detector(config(yolov8), gpu)
    pixels = seen(photos, detector, BATCH)
    np.testing.assert_allclose(on_gpu.compute(pixels), detector.compute(pixels), atol=1e-4)


def test_pillows_open_stays_as_it_was():
    code = """
from PIL import Image
before = Image.open
from pipeline.features.networks.ultralytics.detector import calm_ultralytics
calm_ultralytics()
import ultralytics
from ultralytics.nn import tasks
assert Image.open is before
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
