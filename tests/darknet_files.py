"""Darknet's networks, written down a second time, and files of weights for them."""

import struct
from pathlib import Path

import numpy as np

BACKBONE = [
    (3, 32, 3),
    (32, 64, 3),
    (64, 128, 3),
    (128, 64, 1),
    (64, 128, 3),
    (128, 256, 3),
    (256, 128, 1),
    (128, 256, 3),
    (256, 512, 3),
    (512, 256, 1),
    (256, 512, 3),
    (512, 256, 1),
    (256, 512, 3),
    (512, 1024, 3),
    (1024, 512, 1),
    (512, 1024, 3),
    (1024, 512, 1),
    (512, 1024, 3),
]
HEAD = [(1024, 1024, 3), (1024, 1024, 3), (512, 64, 1), (4 * 64 + 1024, 1024, 3)]
TINY = [
    (3, 16, 3),
    (16, 32, 3),
    (32, 64, 3),
    (64, 128, 3),
    (128, 256, 3),
    (256, 512, 3),
    (512, 1024, 3),
    (1024, 512, 3),
]

CONVOLUTIONS = {
    "yolov2": ([*BACKBONE, *HEAD], (1024, 425, 1)),
    "yolov2-tiny": (TINY, (512, 425, 1)),
    "darknet19": (BACKBONE, (1024, 1000, 1)),
}
"""Channels, filters and kernel size of each convolution, those with batch normalisation and the last one, without."""


ANCHORS = 5


def header(version: tuple[int, int, int] = (0, 1, 0), seen: int = 32013312) -> bytes:
    return struct.pack("<3i", *version) + struct.pack("<q" if version >= (0, 2, 0) else "<i", seen)


def write_weights(path: Path, name: str, seed: int, version: tuple[int, int, int] = (0, 1, 0)) -> Path:
    """Random weights of a network, of sizes that keep the maps of all layers near 1."""
    rng = np.random.default_rng(seed)
    normalised, last = CONVOLUTIONS[name]
    with path.open("wb") as file:
        file.write(header(version))
        for channels, filters, size in [*normalised, last]:
            numbers = [0.1 * rng.standard_normal(filters, np.float32)]
            if (channels, filters, size) != last:
                numbers += [rng.uniform(0.5, 1.5, filters), rng.normal(0, 0.1, filters), rng.uniform(0.5, 1.5, filters)]
            inputs = channels * size**2
            kernels = rng.standard_normal((filters, inputs), np.float32) * np.sqrt(1.5 / inputs)
            if filters == ANCHORS * (5 + 80):  # So that objectness and class scores differ between cells.
                kernels[np.arange(filters) % (5 + 80) >= 4] *= 6
            numbers.append(kernels)
            for values in numbers:
                file.write(values.astype("<f4").tobytes())
    return path
