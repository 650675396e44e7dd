"""Darknet's weights (.weights): a header, then float32 numbers, convolution after convolution.

Each convolution has its biases, with batch normalisation its scales, means and variances, and its kernels (filters,
channels / groups, size, size). The file does not describe the network, so only its length shows a wrong one.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pipeline.errors import InputError
from pipeline.features.networks.darknet.layers import Convolution
from pipeline.features.networks.darknet.network import Darknet

EPSILON = 1e-6
"""The number that darknet adds to a deviation before it divides by it (`normalize_cpu`)."""


@dataclass(frozen=True)
class Weights:
    """The contents of a .weights file.

    path: of the file.
    version: of its format.
    seen: the pictures that the network was trained on, repeats included.
    numbers: float32, in the order of the convolutions.
    """

    path: Path
    version: tuple[int, int, int]
    seen: int
    numbers: np.ndarray


def read_weights(path: Path) -> Weights:
    """Reads a .weights file: a header of three int32 and `seen` (int32 before version 0.2, then int64), then numbers.

    Raises InputError when there is no such file, when its header is not darknet's, when it ends within a number,
    and when it holds a number that is not finite.
    """
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    if len(header) < 16:
        raise InputError(f"{path} has {len(header)} bytes, fewer than darknet's header: delete it and fetch it again.")
    version = struct.unpack("<3i", header[:12])
    major, minor, _ = version
    # Versions from 1000 on mark connected layers written the other way round, which no network here has.
    if min(version) < 0 or max(major, minor) >= 1000:
        raise InputError(f"{path} is not a darknet weights file: its version would be {'.'.join(map(str, version))}.")
    layout = "<q" if 10 * major + minor >= 2 else "<i"
    end = 12 + struct.calcsize(layout)
    if len(header) < end:
        raise InputError(f"{path} has {len(header)} bytes, fewer than darknet's header: delete it and fetch it again.")
    (seen,) = struct.unpack(layout, header[12:end])
    if seen < 0:
        raise InputError(f"{path} is not a darknet weights file: it would have seen {seen} pictures.")
    if surplus := (path.stat().st_size - end) % 4:
        raise InputError(f"{path} ends {surplus} bytes after a whole number: delete it and fetch it again.")
    numbers = np.fromfile(path, "<f4", offset=end)
    if not np.isfinite(numbers).all():
        raise InputError(f"{path} holds numbers that are not finite: it is broken, or no darknet weights file.")
    return Weights(path, version, seen, numbers)


def fill(network: Darknet, weights: Weights, name: str, classifier: int = 0) -> None:
    """Gives a network its weights, batch normalisation folded into the convolutions. Errors call the network `name`.

    Every number must have its place. Of a network up to its last map, the `classifier` numbers of the convolution that
    comes after it may stand at the file's end (darknet19.weights) or be left out (darknet19_448.conv.23). Raises
    InputError, with the number of numbers found and expected, when the length is wrong; and for a negative variance,
    which shows the file of another network of the same length.
    """
    needed, found = sum(layer.numbers for layer in network.convolutions), len(weights.numbers)
    if found not in (needed, needed + classifier):
        wanted = f"{needed:,}" + (f", or {needed + classifier:,} with its classifier" if classifier else "")
        version = ".".join(map(str, weights.version))
        raise InputError(
            f"{weights.path} holds {found:,} numbers after its header (version {version}); {name} takes {wanted}: the "
            "file is another network's, or broken; if it was downloaded by name, delete it and run again."
        )
    start = 0
    for layer in network.convolutions:
        _fill_one(layer, weights.numbers[start : start + layer.numbers], f"{weights.path} for {name}")
        start += layer.numbers


def _fill_one(layer: Convolution, numbers: np.ndarray, what: str) -> None:
    """Gives a convolution its numbers. In float64, so that folding costs no digits of the float32 that come out."""
    filters, shape = layer.convolution.out_channels, layer.convolution.weight.shape
    rows = 4 if layer.normalised else 1
    first = numbers[: rows * filters].reshape(rows, filters).astype(np.float64)
    kernels = numbers[rows * filters :].reshape(filters, -1).astype(np.float64)
    biases = first[0]
    if layer.normalised:
        scales, means, variances = first[1:]
        if variances.min() < 0:
            raise InputError(f"{what} would have a negative variance: the file is another network's, or broken.")
        factors = scales / (np.sqrt(variances) + EPSILON)
        biases, kernels = biases - means * factors, kernels * factors[:, None]
    layer.convolution.load_state_dict(
        {"bias": torch.from_numpy(biases).float(), "weight": torch.from_numpy(kernels).float().reshape(shape)}
    )
