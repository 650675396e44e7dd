"""Object features by YOLOv2, the paper's detector (Section 4.2)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipeline.errors import InputError
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.extractor import Extractor, fitted_to
from pipeline.features.hashes import checked_sha256
from pipeline.features.images import letterbox
from pipeline.features.networks.darknet.cfg import Architecture, Region, read_cfg
from pipeline.features.networks.darknet.network import Darknet
from pipeline.features.networks.darknet.official import official_weights, weights_and_cfg
from pipeline.features.networks.darknet.weights import fill, read_weights
from pipeline.files.seal import sha256

if TYPE_CHECKING:
    from pipeline.features.networks.darknet.config import Yolov2Config

GREY = (127, 127, 127)
"""The colour around a photo in darknet's letterbox: a half of white."""


class Yolov2(Extractor):
    """A YOLOv2: 80 numbers a photo, for each class the highest score of all cells and anchors.

    The score is sigmoid(objectness) × softmax(scores). Suppressing overlapping boxes would not change a maximum.
    """

    classes = COCO_CLASSES
    # Darknet's first revisions with YOLOv2 squash photos; later ones letterbox them, which keeps the objects' shapes.
    preprocessing = "letterboxed to size × size on grey 127, bilinear with antialiasing; RGB from 0 to 1"
    packages = ("torch",)

    @property
    def preprocess(self) -> Callable[[Image.Image], np.ndarray]:
        return partial(letterbox, size=self.size, colour=GREY)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network(pixels).amax((1, 3, 4))  # (B, anchors, 80, height, width) to (B, 80).


def load_yolov2(config: "Yolov2Config", device: torch.device) -> Yolov2:
    """Loads a detector by its published name, or from a .weights file with its .cfg of the same stem.

    Raises SettingError for a file that is absent or does not have its hash, and an input size that the network refuses;
    InputError for a file that is broken or of another network, and for a network that does not detect COCO's 80 classes
    in pictures of three channels.
    """
    weights, found, cfg = checked_files(config)
    architecture = read_cfg(cfg)
    check_task(architecture)
    network = Darknet(architecture)
    fill(network, read_weights(weights), architecture.name)
    record = {
        "kind": config.kind,
        "name": Path(config.detector).name,
        "weights": "file",
        "sha256": found,
        # The description of a network decides its numbers as much as its weights do.
        "cfg_sha256": sha256(cfg),
    }
    with fitted_to(config.input_size, architecture.name, usual=448):
        return Yolov2(network, config.input_size, device, record, config.precision)


def checked_files(config: "Yolov2Config") -> tuple[Path, str, Path]:
    """Returns the file of the weights and its SHA-256, checked, and the file of the architecture."""
    path, cfg = weights_and_cfg(config.detector)
    if path is None:
        return *official_weights(config.detector, config.sha256), cfg
    return path, checked_sha256(path, config.sha256), cfg


def check_task(architecture: Architecture) -> None:
    """Raises InputError when a network does not detect COCO's 80 classes in pictures of three channels."""
    head = architecture.layers[-1] if architecture.layers else None
    if not isinstance(head, Region) or head.classes != len(COCO_CLASSES):
        raise InputError(
            f"{architecture.name} does not end in a [region] of COCO's 80 classes: choose yolov2, for instance."
        )
    if (channels := architecture.net.channels) != 3:
        raise InputError(f"{architecture.name} takes pictures of {channels} channels: choose a network that takes 3.")
