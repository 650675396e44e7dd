"""Darknet's networks, written down a second time, and files of weights for them."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Convolution(NamedTuple):
    """The properties of a convolution that decide its weights; `channels` are those that a kernel sees."""

    channels: int
    filters: int
    size: int
    normalised: bool = True


BACKBONE = [
    Convolution(3, 32, 3),
    Convolution(32, 64, 3),
    Convolution(64, 128, 3),
    Convolution(128, 64, 1),
    Convolution(64, 128, 3),
    Convolution(128, 256, 3),
    Convolution(256, 128, 1),
    Convolution(128, 256, 3),
    Convolution(256, 512, 3),
    Convolution(512, 256, 1),
    Convolution(256, 512, 3),
    Convolution(512, 256, 1),
    Convolution(256, 512, 3),
    Convolution(512, 1024, 3),
    Convolution(1024, 512, 1),
    Convolution(512, 1024, 3),
    Convolution(1024, 512, 1),
    Convolution(512, 1024, 3),
]
"""Darknet-19 without the convolution that classifies, as Table 1 has it."""

NETWORKS = {
    "yolov2": [
        *BACKBONE,
        Convolution(1024, 1024, 3),
        Convolution(1024, 1024, 3),
        Convolution(512, 64, 1),
        Convolution(4 * 64 + 1024, 1024, 3),
        Convolution(1024, 5 * (5 + 80), 1, normalised=False),
    ],
    "yolov2-tiny": [
        Convolution(3, 16, 3),
        Convolution(16, 32, 3),
        Convolution(32, 64, 3),
        Convolution(64, 128, 3),
        Convolution(128, 256, 3),
        Convolution(256, 512, 3),
        Convolution(512, 1024, 3),
        Convolution(1024, 512, 3),
        Convolution(512, 5 * (5 + 80), 1, normalised=False),
    ],
    "darknet19": [*BACKBONE, Convolution(1024, 1000, 1, normalised=False)],
}


def header(version: tuple[int, int, int] = (0, 1, 0), seen: int = 32013312) -> bytes:
    """Returns the header of a .weights file."""
    return struct.pack("<3i", *version) + struct.pack("<q" if version >= (0, 2, 0) else "<i", seen)


def write_weights(
    path: Path, convolutions: Sequence[Convolution], seed: int, version: tuple[int, int, int] = (0, 1, 0)
) -> Path:
    """A file of random weights, of sizes that keep the maps of all layers near 1."""
    rng = np.random.default_rng(seed)
    with path.open("wb") as file:
        file.write(header(version))
        for channels, filters, size, normalised in convolutions:
            numbers = [rng.normal(0, 0.1, filters)]
            if normalised:
                numbers += [rng.uniform(0.5, 1.5, filters), rng.normal(0, 0.1, filters), rng.uniform(0.5, 1.5, filters)]
            inputs = channels * size**2
            kernels = rng.standard_normal((filters, inputs), np.float32) * np.sqrt(1.5 / inputs)
            if filters == 5 * (5 + 80):  # So that objectness and class scores differ between cells.
                kernels[np.arange(filters) % (5 + 80) >= 4] *= 6
            for values in [*numbers, kernels]:
                file.write(values.astype("<f4").tobytes())
    return path


SMALL = """
    [net]
    width=64
    height=64
    channels=3
    [maxpool]
    size=32
    stride=32
    [convolutional]
    filters=85
    size=1
    activation=linear
    [region]
    anchors=1,1
    classes=80
    softmax=1
"""
"""A detector of one convolution, for what does not depend on the network."""


def write_small_detector(folder: Path) -> Path:
    """Writes the small detector, and returns the file of its weights."""
    (folder / "small.cfg").write_text(SMALL)
    return write_weights(folder / "small.weights", [Convolution(3, 85, 1, False)], 0)
