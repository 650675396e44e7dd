"""Object features: the maximum probability of each of COCO's 80 classes (Section 4.2)."""

import pickle
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.extractor import Extractor, fitted_to
from pipeline.features.hashes import checked_sha256
from pipeline.features.images import letterbox
from pipeline.features.networks.ultralytics.checkpoints import read_checkpoint
from pipeline.features.networks.ultralytics.library import import_ultralytics
from pipeline.features.networks.ultralytics.published import PUBLISHED, RELEASE, REPOSITORY, weights_file
from pipeline.features.networks.weights import downloaded

if TYPE_CHECKING:
    from pipeline.features.networks.ultralytics.config import UltralyticsConfig

HEADS = ("Detect", "RTDETRDecoder", "WorldDetect", "v10Detect")
"""The heads that do nothing but detect; those of other tasks (Segment, Pose, …) are kinds of Detect as well."""


class UltralyticsDetector(Extractor):
    """A detection model: 80 numbers a photo, for each class the highest probability of all anchors.

    From the raw output of the head: suppressing overlapping boxes never removes a class's maximum, and ultralytics' own
    suppression keeps one class a box and stops on a clock.
    """

    preprocessing = "letterboxed to size × size on grey 114, bilinear with antialiasing"
    packages = ("torch", "ultralytics")
    classes = COCO_CLASSES

    @property
    def preprocess(self) -> Callable[[Image.Image], np.ndarray]:
        return partial(letterbox, size=self.size)

    def forward(self, pixels: Tensor) -> Tensor:
        _, raw = self.network(pixels)
        if not isinstance(raw, dict):  # RT-DETR: boxes and scores (layers, B, queries, 80) of its queries, …
            return raw[1][-1].amax(1).sigmoid()
        if "scores" not in raw:  # A head of two branches, of which folding left the one that is trained to be used.
            raw = raw["one2one"] or raw["one2many"]
        return raw["scores"].amax(2).sigmoid()  # (B, 80, anchors) to (B, 80).

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"network": pickle.dumps(self.network)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        import_ultralytics()  # Where a detector arrives, its network's classes are imported by unpacking it.
        vars(self).update(state, network=pickle.loads(state["network"]))


def load_ultralytics(config: "UltralyticsConfig", device: torch.device) -> UltralyticsDetector:
    """Loads the extractor of a configuration.

    Raises SettingError for a name that is not known, a file that does not have its hash, and an input size that the
    model refuses; InputError for a file that is not a detection model with COCO's 80 classes.
    """
    path, sha256 = checked_weights(config)
    record = {"kind": config.kind, "name": Path(config.detector).name, "weights": "file", "sha256": sha256}
    network = load_network(path)
    with fitted_to(config.input_size, path.name, usual=448):
        return UltralyticsDetector(network, config.input_size, device, record, config.precision)


def load_network(path: Path) -> nn.Module:
    """Loads a network of ultralytics, batch normalisation folded into convolutions; runs no code of the file.

    Raises InputError for a file that is not a detection model with COCO's 80 classes.
    """
    network = read_checkpoint(path)
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


def checked_weights(config: "UltralyticsConfig") -> tuple[Path, str]:
    """Returns the file of the weights and its SHA-256, checked; published ones are downloaded once, by name."""
    path = weights_file(config.detector)
    if path is not None:
        return path, checked_sha256(path, config.sha256)
    expected = config.sha256 or PUBLISHED.get(config.detector)
    return downloaded(f"{REPOSITORY}/{RELEASE}/{config.detector}", expected)
