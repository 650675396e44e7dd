"""Object features by YOLOv2, the paper's detector (Section 4.2)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipeline.errors import InputError
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.config import ObjectFeaturesConfig
from pipeline.features.extractor import Extractor, fitting
from pipeline.features.images import letterbox
from pipeline.features.networks.darknet.cfg import Architecture, Region, read_cfg
from pipeline.features.networks.darknet.network import Darknet
from pipeline.features.networks.darknet.official import DETECTORS, cfg_path, official_weights
from pipeline.features.networks.darknet.weights import fill, read_weights
from pipeline.features.networks.weights import own
from pipeline.files import sha256

GREY = (127, 127, 127)
"""What fills darknet's letterbox: a half."""


class DarknetDetector(Extractor):
    """A YOLOv2: 80 numbers a photo, for each class the highest score of all cells and anchors.

    The score is sigmoid(objectness) × softmax(scores). Suppressing overlapping boxes would not change a maximum.
    """

    kind = "objects"
    classes = COCO_CLASSES
    # Darknet's first revisions with YOLOv2 squash photos, later ones letterbox them, which keeps the objects' shapes.
    preprocessing = "letterboxed to size × size on grey 127, bilinear with antialiasing; RGB from 0 to 1"
    packages = ("torch",)

    @property
    def preprocess(self) -> Callable[[Image.Image], np.ndarray]:
        return partial(letterbox, size=self.size, grey=GREY)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network(pixels).amax((1, 3, 4))


def is_darknet(detector: str) -> bool:
    """Whether `objects.detector` is one of darknet's: a published name, or a file of weights."""
    return detector in DETECTORS or detector.endswith(".weights")


def load_darknet_detector(config: ObjectFeaturesConfig, device: torch.device) -> DarknetDetector:
    """The extractor of a published name (yolov2, yolov2-tiny), or of a .weights file with its .cfg of the same stem.

    Raises InputError for files that are absent, broken, of another network or do not have their hash, for a network
    that does not detect COCO's 80 classes in pictures of three channels, and for an input size that it refuses.
    """
    weights, found, described = find(config)
    architecture = read_cfg(described)
    check_task(architecture)
    network = Darknet(architecture)
    fill(network, read_weights(weights), architecture.name)
    # The description of a network decides its numbers as much as its weights do.
    record = {"name": Path(config.detector).name, "weights": "file", "sha256": found, "cfg_sha256": sha256(described)}
    with fitting("objects", architecture.name, config.input_size):
        return DarknetDetector(network, config.input_size, device, record, config.precision)


def find(config: ObjectFeaturesConfig) -> tuple[Path, str, Path]:
    """The file of the weights and its SHA-256, checked, and the file of the architecture."""
    name = config.detector
    if name in DETECTORS:
        return *official_weights(name, config.sha256), cfg_path(name)
    if not Path(name).is_file():
        downloads = " and ".join(DETECTORS)
        raise InputError(
            f"objects.detector is {name!r}, and there is no such file; {downloads} are downloaded by name."
        )
    return Path(name), own(Path(name), config.sha256, "objects.sha256"), Path(name).with_suffix(".cfg")


def check_task(architecture: Architecture) -> None:
    """Raises InputError when a network does not detect COCO's 80 classes in pictures of three channels."""
    head = architecture.layers[-1] if architecture.layers else None
    if not isinstance(head, Region) or head.classes != len(COCO_CLASSES):
        raise InputError(f"{architecture.name} does not end in a [region] of COCO's 80 classes: choose yolov2, say.")
    if (channels := architecture.net.channels) != 3:
        raise InputError(f"{architecture.name} takes pictures of {channels} channels: choose a network that takes 3.")
