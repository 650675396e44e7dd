"""The photos, networks and posts on which a GPU is measured, and the rows of the table."""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
import torch
from PIL import Image

from benchmarks.feed import repeated
from benchmarks.training import made_up
from pipeline.data.packed import PackedPhoto
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.config import NetworkConfig
from pipeline.features.networks.torchvision.config import TorchvisionConfig
from pipeline.features.networks.ultralytics.config import UltralyticsConfig
from pipeline.features.networks.ultralytics.library import import_ultralytics
from pipeline.features.store import Features
from pipeline.files.seal import sha256
from pipeline.models.settings import TrainingConfig, UniformNegatives
from project.params import load

ROOT = Path(__file__).parents[2]
PICTURES = 64
"""Pictures that are drawn; all photos are these, each with other bytes after its end."""


@dataclass(frozen=True)
class Size:
    """The size of everything that is measured."""

    photos: int
    backbone: str
    inputs: tuple[int, int]
    """Pixels each way that the backbone and the detector look at."""
    posts: int
    batches: tuple[int, ...]
    factors: int
    epochs: int
    """Epochs of tuning, at most."""
    rounds: int
    """Rounds of what is measured, whose median counts."""


SIZES = {
    "full": Size(16_384, "vgg16", (224, 448), 76_842, (1024, 8192, 32_768), 128, 300, 5),
    "tiny": Size(48, "squeezenet1_1", (64, 64), 300, (64, 128), 8, 4, 1),
}


@dataclass(frozen=True)
class Row:
    """One number, or one sentence, and the bar that it is held to, if any."""

    what: str
    found: str
    bar: str = ""


class Bench:
    """The material that the parts work on; made when a part first needs it."""

    def __init__(self, device: torch.device, size: Size, real: Path | None, scratch: Path):
        self.device, self.size, self.real, self.scratch = device, size, real, scratch
        self.decoded: dict[tuple[str, str], float] = {}
        """Photos decoded a second, by the name of the network that they are scaled for, and the decoder."""

    @cached_property
    def shards(self) -> Path:
        """The folder of packed photos."""
        return self.scratch / "photos"

    @cached_property
    def photos(self) -> list[PackedPhoto]:
        """All photos, of which no two have the same bytes."""
        files = sorted((self.real / "photos").glob("*.jpg")) if self.real else []
        pictures = [file.read_bytes() for file in files] or [*drawn(min(PICTURES, self.size.photos))]
        return repeated(pictures, self.size.photos, self.shards)

    @cached_property
    def posts(self) -> tuple[pl.DataFrame, Features]:
        """Posts in the shape of NUS-WIDE-2, and their photos' features."""
        return made_up(self.size.posts)

    @property
    def training(self) -> TrainingConfig:
        """The settings of params.yaml, with uniform negatives and each post once an epoch, as in the paper."""
        settings = load(ROOT / "params.yaml").training
        paper = {"negatives": UniformNegatives(kind="uniform"), "balance": 0.0, "batch": self.size.batches[0]}
        return settings.model_copy(update={"factors": self.size.factors, "epochs": self.size.epochs} | paper)

    def backbone(self, precision: str) -> NetworkConfig:
        """The backbone, with seeded weights."""
        of = {"kind": "torchvision", "backbone": self.size.backbone, "input_size": self.size.inputs[0]}
        return TorchvisionConfig(**of, weights={"kind": "seeded"}, precision=precision, runtime="torch")

    def detector(self, precision: str) -> NetworkConfig:
        """YOLOv8n, of the real folder or untrained."""
        path = self.real / "weights" / "yolov8n.pt" if self.real else self.untrained
        of = {"kind": "ultralytics", "detector": str(path), "sha256": sha256(path), "input_size": self.size.inputs[1]}
        return UltralyticsConfig(**of, precision=precision, runtime="torch")

    @cached_property
    def untrained(self) -> Path:
        """A file of YOLOv8n's architecture."""
        model = import_ultralytics("ultralytics.nn.tasks").DetectionModel("yolov8n.yaml", verbose=False)
        model.names, model.task = dict(enumerate(COCO_CLASSES)), "detect"
        path = self.scratch / "yolov8n.pt"
        torch.save({"model": model, "ema": None, "train_args": {}}, path)
        return path

    def synchronise(self) -> None:
        """Waits for the GPU."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def drawn(count: int) -> Iterator[bytes]:
    """Draws pictures of 500 × 375 pixels whose coarse structures are strong and whose fine ones are weak, as JPEG."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        picture = np.zeros((375, 500, 3), np.float32)
        for parts in (4, 16, 64, 256):
            coarse = Image.fromarray(rng.integers(0, 256, (parts, parts, 3), np.uint8)).resize((500, 375))
            picture += np.asarray(coarse, np.float32) * (0.5 / np.log2(parts))
        buffer = io.BytesIO()
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=92)
        yield buffer.getvalue()


def seconds(work: Callable[[], object], rounds: int) -> float:
    """Returns the median time of some rounds, after one that does not count, to warm up."""
    work()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return median(found)
