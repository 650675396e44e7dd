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
from pipeline.features.config import BATCH
from pipeline.features.images import decode
from pipeline.features.networks.ultralytics import detector as detectors
from pipeline.features.networks.ultralytics.config import UltralyticsConfig
from pipeline.features.networks.ultralytics.detector import UltralyticsDetector
from pipeline.files.seal import sha256

SIZE = 64


def config(path: Path | str, size: int = SIZE) -> UltralyticsConfig:
    return UltralyticsConfig(
        kind="ultralytics",
        detector=str(path),
        sha256=sha256(Path(path)),
        input_size=size,
        precision="float32",
        runtime="torch",
    )


@pytest.fixture(scope="module")
def yolov8(save) -> Path:
    return save("yolov8n.yaml")


@pytest.fixture(scope="module")
def detector(yolov8: Path) -> UltralyticsDetector:
    return config(yolov8).load(0, torch.device("cpu"))


def seen(photos, extractor: UltralyticsDetector, count: int) -> np.ndarray:
    return np.stack([extractor.preprocess(decode(photo)) for photo in photos(count)])


def test_the_feature_is_the_maximum_over_anchors_of_the_unfolded_model(
    yolov8: Path, detector: UltralyticsDetector, photos
):
    pixels = seen(photos, detector, 2)
    model = torch.load(yolov8, weights_only=False)["model"].eval()
    with torch.inference_mode():
        decoded, _ = model(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255)
    assert decoded.shape == (2, 4 + 80, 64 + 16 + 4)
    vectors = detector.compute(pixels)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, decoded[:, 4:].amax(2), atol=1e-5)
    assert vectors.std(0).mean() > 1e-3  # A hundred times what may differ: the photos are told apart.
    assert ((vectors > 0.01) & (vectors < 0.99)).mean() > 0.5


def test_batch_normalisation_is_folded(detector: UltralyticsDetector):
    assert not [layer for layer in detector.network.modules() if isinstance(layer, nn.BatchNorm2d)]


def test_a_photo_has_the_same_features_alone_and_among_others(detector: UltralyticsDetector, photos):
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
    extractor = config(path).load(0, cpu)
    pixels = seen(photos, extractor, 2)
    vectors = extractor.compute(pixels)
    with torch.inference_mode():
        found, _ = extractor.network(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255)
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
        config(path).load(0, cpu)
    assert not victim.exists()
    torch.load(path, weights_only=False)
    assert victim.exists(), "the file was no danger at all"


def test_a_file_is_checked_before_it_is_read(yolov8: Path, monkeypatch, cpu):
    monkeypatch.setattr(detectors, "load_network", lambda _: pytest.fail("it was read"))
    with pytest.raises(InputError, match="sha256 is 000"):
        UltralyticsConfig(
            kind="ultralytics",
            detector=str(yolov8),
            sha256="0" * 64,
            input_size=SIZE,
            precision="float32",
            runtime="torch",
        ).load(0, cpu)


def test_a_file_without_a_hash_is_refused_telling_it(yolov8: Path, cpu):
    with pytest.raises(InputError, match=f"sha256 is null; that of .* is {sha256(yolov8)}"):
        UltralyticsConfig(
            kind="ultralytics", detector=str(yolov8), sha256=None, input_size=SIZE, precision="float32", runtime="torch"
        ).load(0, cpu)


@pytest.mark.parametrize("name", ["yolov5n.pt", "yolov3.pt", "yolov5s6.pt", "it's.pt", "a?b.pt"])
def test_the_file_that_was_hashed_is_the_file_that_is_loaded(name: str, yolov8: Path, detector, save, tmp_path: Path):
    """Ultralytics turns to a newer release's file in the same folder, and drops quotation marks from a name."""
    path = tmp_path / name
    path.write_bytes(yolov8.read_bytes())
    others = [name.replace(".pt", "u.pt"), name.replace("'", "")]
    for other in {*others} - {name}:
        (tmp_path / other).write_bytes(save("yolov8n.yaml", seed=2).read_bytes())
    extractor = config(path).load(0, torch.device("cpu"))
    grey = np.full((1, SIZE, SIZE, 3), 90, np.uint8)
    assert (extractor.compute(grey) == detector.compute(grey)).all()
    assert (extractor.record["name"], extractor.record["sha256"]) == (name, sha256(yolov8))


def test_what_is_no_model_of_ultralytics_is_refused(tmp_path: Path, cpu):
    path = tmp_path / "model.pt"
    torch.save({"model": nn.Linear(2, 2)}, path)
    with pytest.raises(InputError, match=r"model\.pt (is not a checkpoint|holds a Linear)"):
        config(path).load(0, cpu)


@pytest.mark.parametrize("content", [b"h", b"", b"no weights at all", b"PK\x03\x04 cut short", {"model": None}, [1, 2]])
def test_what_is_no_checkpoint_is_refused_without_the_librarys_words(content, tmp_path: Path, cpu):
    """P13: its advice was given as ours."""
    path = tmp_path / "model.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(InputError) as caught:
        config(path).load(0, cpu)
    assert str(caught.value) == (
        f"{path} is not a checkpoint that ultralytics loads without running code: it is cut short, of another kind, or "
        "holds code. Get it again, or take another."
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("helmet", "vest"), r"has 2 \(helmet, vest"),
        (("bicycle", "person", *COCO_CLASSES[2:]), r"has 80 \(bicycle, person, car"),
    ],
)
def test_other_classes_than_cocos_are_refused_by_name(names, message, save, cpu):
    path = save("yolov8n.yaml", names=names, options={"nc": len(names)})
    with pytest.raises(InputError, match=f"does not detect COCO's 80 classes.*{message}"):
        config(path).load(0, cpu)


@pytest.mark.parametrize(
    ("architecture", "kind", "task"),
    [("yolov8n-seg.yaml", "SegmentationModel", "segment"), ("yolov8n-cls.yaml", "ClassificationModel", "classify")],
)
def test_other_tasks_than_detection_are_refused(architecture, kind, task, save, cpu):
    path = save(architecture, kind, task=task, options={"nc": 80})
    with pytest.raises(InputError, match=f"a model for the task '{task}'"):
        config(path).load(0, cpu)


def test_a_device_that_fails_is_no_matter_of_size(yolov8: Path, refusal_of_a_failing_device, cpu):
    with refusal_of_a_failing_device:
        config(yolov8).load(0, cpu)


def test_an_unknown_name_is_refused_with_near_ones(cpu):
    with pytest.raises(InputError, match=r"'yolo11q.pt'.*Try .*yolo11"):
        UltralyticsConfig(
            kind="ultralytics",
            detector="yolo11q.pt",
            sha256=None,
            input_size=SIZE,
            precision="float32",
            runtime="torch",
        ).load(0, cpu)


def test_a_name_is_downloaded_and_checked(yolov8: Path, monkeypatch, cpu):
    asked = []

    def fake(url: str, expected: str | None) -> tuple[Path, str]:
        asked.append((url, expected))
        return yolov8, "e" * 64

    monkeypatch.setattr(detectors, "downloaded", fake)
    extractor = UltralyticsConfig(
        kind="ultralytics", detector="yolo11n.pt", sha256=None, input_size=SIZE, precision="float32", runtime="torch"
    ).load(0, cpu)
    (url, expected), *_ = asked
    assert url.startswith("https://github.com/ultralytics/assets/releases/download/")
    assert url.endswith("/yolo11n.pt")
    assert expected == "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1"
    assert extractor.record["name"] == "yolo11n.pt"
    assert extractor.record["sha256"] == "e" * 64
    UltralyticsConfig(
        kind="ultralytics",
        detector="yolo11n.pt",
        sha256="f" * 64,
        input_size=SIZE,
        precision="float32",
        runtime="torch",
    ).load(0, cpu)
    assert asked[-1] == (url, "f" * 64), "a hash of the user's goes before the published one"


def test_ultralytics_is_kept_quiet_and_what_the_user_set_and_pillow_stay(yolov8: Path, tmp_path: Path):
    code = """
import os, socket, sys, torch
def refuse(*arguments): raise SystemExit(f"it looks for the network: {arguments}")
socket.socket.connect = socket.getaddrinfo = refuse
from pathlib import Path
from PIL import Image
pillows = Image.open
from pipeline.features.networks.ultralytics.detector import load_network
load_network(Path(sys.argv[1]))
assert Image.open is pillows
print(os.environ["YOLO_OFFLINE"], os.environ["YOLO_AUTOINSTALL"], os.environ["YOLO_CONFIG_DIR"])
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("YOLO_")}
    environment |= {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", code, str(yolov8)]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert printed[:2] == ["true", "false"]
    assert Path(printed[2]).parent == tmp_path
    assert not list(tmp_path.glob("**/Ultralytics")), "its settings outlive the process"
    environment |= {"YOLO_CONFIG_DIR": str(tmp_path / "mine"), "YOLO_AUTOINSTALL": "true"}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert printed == ["true", "true", str(tmp_path / "mine")]


@pytest.mark.gpu
def test_a_gpu_gives_what_the_cpu_gives(yolov8: Path, gpu: torch.device, detector: UltralyticsDetector, photos):
    on_gpu = config(yolov8).load(0, gpu)
    pixels = seen(photos, detector, BATCH)
    np.testing.assert_allclose(on_gpu.compute(pixels), detector.compute(pixels), atol=1e-4)
