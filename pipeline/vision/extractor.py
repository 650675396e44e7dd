"""What every extractor of features is, and the record of whatever decides its numbers."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.backends import cudnn

BATCH = 16
"""Photos computed at once. Fixed, because the last digits of a convolution depend on the shape of its batch."""


class Extractor(ABC):
    """A network that gives each photo a vector of `dimension` float32 numbers.

    `record` says what decides these numbers: network, weights, input, device, versions. It travels with the features.
    A subclass says its `kind` ("image" or "objects"), how it sees a photo (`preprocessing`, in words: change them with
    the code, so that vectors made in the old way are not taken for new ones), and the `packages` that compute.
    """

    kind: str
    preprocessing: str
    packages: tuple[str, ...]

    def __init__(self, network: nn.Module, size: int, device: torch.device, record: Mapping[str, Any]):
        self.size, self.device = size, device
        # Channels last is the layout that CPUs and tensor cores convolve fastest.
        self.network = network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
        self.dimension = self.compute(np.zeros((1, 3, size, size), np.uint8)).shape[1]
        self.record = (
            {"kind": self.kind}
            | dict(record)
            | {
                "size": size,
                "dimension": self.dimension,
                "preprocessing": self.preprocessing,
                "batch": BATCH,
                "device": device.type,
                "versions": {package: version(package) for package in ("pillow", *self.packages)},
            }
        )

    @property
    def fingerprint(self) -> str:
        """Names whatever decides the numbers: equal fingerprints, equal features."""
        return hashlib.sha256(canonical(describe(self)).encode()).hexdigest()[:16]

    @property
    @abstractmethod
    def preprocess(self) -> Callable[[Image.Image], np.ndarray]:
        """What makes of a photo the network's input, uint8 (3, size, size).

        A function of its own, such as `partial(squash, size=self.size)`, which goes to other processes without the
        network.
        """

    @abstractmethod
    def forward(self, pixels: Tensor) -> Tensor:
        """Features (B, dimension) of pixels (B, 3, size, size), float32 from 0 to 1."""

    def compute(self, batch: np.ndarray) -> np.ndarray:
        """The features, float32 (B, dimension), of preprocessed photos, uint8 (B, 3, size, size).

        In full float32, without TF32 and with deterministic kernels: the same in every run, on a GPU too.
        """
        pixels = torch.from_numpy(np.ascontiguousarray(batch)).to(self.device).float().div_(255)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            return self.forward(pixels).cpu().numpy()


def describe(extractor: Extractor) -> dict[str, Any]:
    """The record of an extractor, ready for JSON: kind, name, weights ("seeded", "imagenet" or "file"), sha256, …"""
    return dict(extractor.record)


def canonical(record: Mapping[str, Any]) -> str:
    """A record as JSON, always the same bytes."""
    return json.dumps(record, sort_keys=True, ensure_ascii=False)
