"""Object features: the maximum probability of each of COCO's 80 classes (Section 4.2)."""

import os
import pickle
import tempfile
from pathlib import Path
from urllib.error import URLError

# Before ultralytics is imported: no telemetry, no installations behind the user's back, no code in weights.
os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_VERBOSE", "false")
os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.gettempdir())
os.environ["ULTRALYTICS_SAFE_LOAD"] = "1"

import numpy as np
import torch
import ultralytics.utils
from PIL import Image
from torch import Tensor, nn
from ultralytics.nn.modules.head import Detect
from ultralytics.nn.tasks import load_checkpoint
from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, GITHUB_ASSETS_REPO

from pipeline.errors import InputError
from pipeline.files import sha256
from pipeline.vision.coco import COCO_CLASSES
from pipeline.vision.config import ObjectFeaturesConfig
from pipeline.vision.extractor import Extractor
from pipeline.vision.images import letterbox

RELEASE = "v8.4.0"
"""The release of ultralytics' weights that names mean."""

PUBLISHED = {
    "yolo11n.pt": "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1",
    "yolov8n.pt": "f59b3d833e2ff32e194b5bb8e08d211dc7c5bdf144b90d2c8412c47ccfc83b36",
}
"""The SHA-256 of published weights; of other names the configuration can give it."""


class Detector(Extractor):
    """A detection model: 80 numbers a photo, for each class the highest probability of all anchors.

    From the raw output of the head: suppressing overlapping boxes never removes a class's maximum, and ultralytics' own
    suppression keeps one class a box and stops on a clock.
    """

    kind = "objects"

    def preprocess(self, image: Image.Image) -> np.ndarray:
        return letterbox(image, self.size)

    def forward(self, pixels: Tensor) -> Tensor:
        _, raw = self.network(pixels)
        if "scores" not in raw:  # A head with two branches: the one that is trained to stand without suppression.
            raw = raw["one2one"] or raw["one2many"]
        return raw["scores"].amax(2).sigmoid()


def load_detector(config: ObjectFeaturesConfig, device: torch.device) -> Detector:
    """The extractor of a configuration.

    Raises InputError for weights that are absent or do not have their hash, and for a file that is no detection model
    with COCO's 80 classes.
    """
    path = find(config)
    network = load(path)
    record = {"kind": "objects", "name": Path(config.detector).name, "weights": "file", "sha256": sha256(path)}
    return Detector(network, config.size, device, record)


def load(path: Path) -> nn.Module:
    """The network in ultralytics' weights, batch normalisation folded into convolutions; runs no code of the file."""
    if not ultralytics.utils.SAFE_LOAD:
        raise RuntimeError("ultralytics was imported before ULTRALYTICS_SAFE_LOAD was set")
    try:
        network, _ = load_checkpoint(path, fuse=True)
    except (TypeError, AttributeError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is not a checkpoint that ultralytics loads safely ({reason}).") from None
    if not isinstance(network.model[-1], Detect) or network.task != "detect":
        raise InputError(f"{path} is a model for {network.task}: choose one for detection.")
    names = tuple(network.names[number] for number in range(len(network.names)))
    if names != COCO_CLASSES:
        odd = next((name for name in names if name not in COCO_CLASSES), None) or f"{len(names)} classes in its order"
        raise InputError(f"{path} does not detect COCO's 80 classes: it has {odd!r}. Choose a model trained on COCO.")
    return network


def find(config: ObjectFeaturesConfig) -> Path:
    """The file of the weights, checked by its hash; published ones are downloaded once, by their names."""
    path, expected = Path(config.detector), config.sha256
    if path.exists():
        if expected is None:
            raise InputError(f"objects.sha256 is null; that of {path} is {sha256(path)}: set it if you trust the file.")
    elif config.detector in GITHUB_ASSETS_NAMES:
        expected = expected or PUBLISHED.get(config.detector)
        path = download(config.detector)
    else:
        raise InputError(f"objects.detector is {config.detector!r}: no such file, and no name of ultralytics' weights.")
    found = sha256(path)
    if expected is not None and found != expected:
        raise InputError(f"{path} has the SHA-256 {found}, not {expected}: it is another file, or a broken one.")
    return path


def download(name: str) -> Path:
    """Ultralytics' published weights, downloaded once to where torch keeps such files."""
    file = Path(torch.hub.get_dir()) / "checkpoints" / name
    url = f"https://github.com/{GITHUB_ASSETS_REPO}/releases/download/{RELEASE}/{name}"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(file), hash_prefix=PUBLISHED.get(name))
        except (URLError, OSError, RuntimeError) as error:
            raise InputError(f"{name} cannot be downloaded ({error}): put {url} at {file}, or name a file.") from None
    return file
