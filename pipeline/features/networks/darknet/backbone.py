"""Image features by Darknet-19, the classifier that YOLOv2 grew from (the paper's Table 1)."""

from collections.abc import Callable
from functools import partial
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipeline.features.config import ImagenetWeights, SeededWeights, WeightsFile
from pipeline.features.extractor import Extractor, fitted_to
from pipeline.features.images import resize_to_square
from pipeline.features.networks.darknet.cfg import read_cfg
from pipeline.features.networks.darknet.network import Darknet
from pipeline.features.networks.darknet.official import cfg_path, official_weights
from pipeline.features.networks.darknet.weights import fill, read_weights
from pipeline.features.networks.weights import digest
from pipeline.files.seal import sha256

if TYPE_CHECKING:
    from pipeline.features.networks.darknet.config import Darknet19Config

NAME = "darknet19"
"""The name of its published files."""


class Darknet19(Extractor):
    """Darknet-19 up to its last feature map, averaged over the map: 1024 numbers a photo."""

    preprocessing = "resized to size × size, bilinear with antialiasing; RGB from 0 to 1"
    packages = ("torch",)

    @property
    def preprocess(self) -> Callable[[Image.Image], np.ndarray]:
        return partial(resize_to_square, size=self.size)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network(pixels).mean((2, 3))  # (B, 1024, size / 32, size / 32) to (B, 1024).


def load_darknet19(config: "Darknet19Config", seed: int, device: torch.device) -> Darknet19:
    """Loads Darknet-19. `seed` draws the weights that are not trained.

    A file is darknet's, of the whole classifier or of its layers before the classifying convolution. Raises
    SettingError for a file that is absent or does not have its hash, and an input size that the network refuses;
    InputError for a file that is broken or of another network.
    """
    architecture = read_cfg(cfg_path(NAME))
    network = Darknet(architecture.up_to_last_map())
    classifier = Darknet(architecture).convolutions[-1].numbers
    record = {
        "kind": config.kind,
        "name": NAME,
        "weights": config.weights.kind,
        # The description of a network decides its numbers as much as its weights do.
        "cfg_sha256": sha256(cfg_path(NAME)),
    }
    match config.weights:
        case SeededWeights():
            draw(network, seed)
            record |= {"seed": seed, "sha256": digest(network)}
        case weights:
            path, record["sha256"] = checked_weights(weights)
            fill(network, read_weights(path), NAME, classifier)
    with fitted_to(config.input_size, NAME, usual=224):
        return Darknet19(network, config.input_size, device, record, config.precision)


def checked_weights(weights: ImagenetWeights | WeightsFile) -> tuple[Path, str]:
    """Returns the file of trained weights and its SHA-256, checked."""
    return weights.checked() if isinstance(weights, WeightsFile) else official_weights(NAME)


def draw(network: Darknet, seed: int) -> None:
    """Draws a network's weights as darknet does before training: normal, of variance 2 / inputs; biases are zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in network.convolutions:
            kernels = layer.convolution.weight
            kernels.normal_(0, sqrt(2 / kernels[0].numel()), generator=generator)
            layer.convolution.bias.zero_()
