"""Object features: the maximum probability of each of COCO's 80 classes (Section 4.2)."""

import atexit
import difflib
import os
import pickle
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from pipeline.errors import InputError, one_line
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.config import ObjectFeaturesConfig
from pipeline.features.extractor import Extractor, fitting
from pipeline.features.images import letterbox
from pipeline.features.networks.darknet.detector import is_darknet, load_darknet_detector
from pipeline.features.networks.darknet.official import DETECTORS
from pipeline.features.networks.weights import downloaded, own

HEADS = ("Detect", "RTDETRDecoder", "WorldDetect", "v10Detect")
"""The heads that do nothing but detect; those of other tasks (Segment, Pose, …) are kinds of Detect, too."""

REPOSITORY = "https://github.com/ultralytics/assets/releases/download"
RELEASE = "v8.4.0"
"""The release of ultralytics' weights that names mean."""

PUBLISHED = {
    "yolo11n.pt": "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1",
    "yolov8n.pt": "f59b3d833e2ff32e194b5bb8e08d211dc7c5bdf144b90d2c8412c47ccfc83b36",
}
"""The SHA-256 of published weights; of other names it is told, and noted in the record."""


class Detector(Extractor):
    """A detection model: 80 numbers a photo, for each class the highest probability of all anchors.

    From the raw output of the head: suppressing overlapping boxes never removes a class's maximum, and ultralytics' own
    suppression keeps one class a box and stops on a clock.
    """

    kind = "objects"
    classes = COCO_CLASSES
    preprocessing = "letterboxed to size × size on grey 114, bilinear with antialiasing"
    packages = ("torch", "ultralytics")

    @property
    def preprocess(self) -> Callable[[Image.Image], np.ndarray]:
        return partial(letterbox, size=self.size)

    def forward(self, pixels: Tensor) -> Tensor:
        _, raw = self.network(pixels)
        if not isinstance(raw, dict):  # RT-DETR: boxes and scores (layers, B, queries, 80) of its queries, …
            return raw[1][-1].amax(1).sigmoid()
        if "scores" not in raw:  # A head of two branches, of which folding left the one that is trained to be used.
            raw = raw["one2one"] or raw["one2many"]
        return raw["scores"].amax(2).sigmoid()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"network": pickle.dumps(self.network)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        calm_ultralytics()  # Where a detector arrives, its network's classes are imported by unpacking it.
        vars(self).update(state, network=pickle.loads(state["network"]))


def load_detector(config: ObjectFeaturesConfig, device: torch.device) -> Extractor:
    """The extractor of a configuration.

    Raises InputError for weights that are absent or do not have their hash, for a file that is no detection model with
    COCO's 80 classes, and for an input size that the model refuses.
    """
    if is_darknet(config.detector):
        return load_darknet_detector(config, device)
    path, sha256 = find(config)
    if path.suffix != ".pt":
        from pipeline.features.networks.ultralytics.exported import load_exported  # Their runtimes are extras.

        return load_exported(path, sha256, config, device)
    network = load(path)
    record = {"name": Path(config.detector).name, "weights": "file", "sha256": sha256}
    with fitting("objects", path.name, config.input_size):
        return Detector(network, config.input_size, device, record, config.precision)


def load(path: Path) -> nn.Module:
    """The network in ultralytics' weights, batch normalisation folded into convolutions; runs no code of the file."""
    calm_ultralytics()
    from ultralytics.nn import tasks

    tasks.SAFE_LOAD = True  # ULTRALYTICS_SAFE_LOAD would come too late where ultralytics is imported already.
    try:
        network, _ = tasks.load_checkpoint(path)
    except (TypeError, AttributeError, RuntimeError, ImportError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(
            f"{path} is not a checkpoint that ultralytics loads without running code ({one_line(error)}): if it was "
            "downloaded by name, delete it and run again."
        ) from None
    if network.task != "detect" or type(network.model[-1]).__name__ not in HEADS:
        raise InputError(f"{path} is a model for the task {network.task!r}: choose one for detection.")
    require_coco(network.names, path)
    return network.fuse(verbose=False)


def require_coco(names: Mapping[int, str], path: Path) -> None:
    """Raises InputError when a model's classes, by number, are not COCO's 80 in their order."""
    found = tuple(names[number] for number in range(len(names)))
    if found != COCO_CLASSES:
        some = ", ".join(found[:5])
        raise InputError(
            f"{path} does not detect COCO's 80 classes in their order: it has {len(found)} ({some}, …). Choose a model "
            "trained on COCO, such as yolo11n.pt."
        )


def find(config: ObjectFeaturesConfig) -> tuple[Path, str]:
    """The file or folder of the weights and its SHA-256, checked; published ones are downloaded once, by name."""
    name = config.detector
    if Path(name).exists():
        return Path(name), own(Path(name), config.sha256, "objects.sha256")
    calm_ultralytics()
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

    if name in GITHUB_ASSETS_NAMES:
        return downloaded(f"{REPOSITORY}/{RELEASE}/{name}", config.sha256 or PUBLISHED.get(name))
    detectors = sorted(known for known in GITHUB_ASSETS_NAMES if re.fullmatch(r"(yolov?\d+\w*|rtdetr-.)\.pt", known))
    near = ", ".join(difflib.get_close_matches(name, [*detectors, *DETECTORS], n=3)) or "yolo11n.pt, yolov8n.pt, yolov2"
    raise InputError(
        f"objects.detector is {name!r}: no such file, and no weights of that name are published. Near: {near}."
    )


def calm_ultralytics() -> None:
    """Imports it with no telemetry, no installations, and its settings in a folder that goes with the process.

    What the user has set in the environment stays. Ultralytics replaces `Image.open` by one that tries to install a
    package when a file is no image: Pillow's own is put back.
    """
    if "ultralytics" in sys.modules:
        return
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_VERBOSE", "false")
    if "YOLO_CONFIG_DIR" not in os.environ:
        os.environ["YOLO_CONFIG_DIR"] = folder = tempfile.mkdtemp(prefix="ultralytics-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    pillows = Image.open
    import_module("ultralytics.utils.patches")
    Image.open = pillows
