"""Image features by Darknet-19, the classifier that YOLOv2 grew from (the paper's Table 1)."""

from collections.abc import Callable
from functools import partial
from math import sqrt
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipeline.features.config import ImagenetWeights, SeededWeights, WeightsFile
from pipeline.features.extractor import Extractor, fitting
from pipeline.features.images import squash
from pipeline.features.networks.darknet.cfg import read_cfg
from pipeline.features.networks.darknet.config import Darknet19Config
from pipeline.features.networks.darknet.network import Darknet
from pipeline.features.networks.darknet.official import cfg_path, official_weights
from pipeline.features.networks.darknet.weights import fill, read_weights
from pipeline.features.networks.weights import check, digest
from pipeline.files import sha256

NAME = "darknet19"


class DarknetBackbone(Extractor):
    """Darknet-19 up to its last feature map, averaged over the map: 1024 numbers a photo."""

    kind = "image"
    preprocessing = "squashed to size × size, bilinear with antialiasing; RGB from 0 to 1"
    packages = ("torch",)

    @property
    def preprocess(self) -> Callable[[Image.Image], np.ndarray]:
        return partial(squash, size=self.size)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network(pixels).mean((2, 3))


def load_darknet19(config: Darknet19Config, seed: int, device: torch.device) -> DarknetBackbone:
    """The extractor of Darknet-19. `seed` draws the weights that are not trained.

    A file is darknet's, of the whole classifier or of its layers before the classifying convolution. Raises InputError
    for a file that is absent, broken, of another network or does not have its hash.
    """
    name = NAME
    architecture = read_cfg(cfg_path(name))
    network = Darknet(architecture.up_to_last_map())
    classifier = Darknet(architecture).convolutions[-1].numbers
    record = {"name": name, "weights": config.weights.kind, "cfg_sha256": sha256(cfg_path(name))}
    match config.weights:
        case SeededWeights():
            draw(network, seed)
            record |= {"seed": seed, "sha256": digest(network)}
        case ImagenetWeights():
            file, record["sha256"] = official_weights(name)
            fill(network, read_weights(file), name, classifier)
        case WeightsFile(path=path, sha256=expected):
            record["sha256"] = check(Path(path), expected, "image.weights.sha256")
            fill(network, read_weights(Path(path)), name, classifier)
    with fitting("image", name, config.input_size):
        return DarknetBackbone(network, config.input_size, device, record, config.precision)


def draw(network: Darknet, seed: int) -> None:
    """Draws a network's weights as darknet does before training: normal, of variance 2 / inputs; biases are zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in network.convolutions:
            kernels = layer.convolution.weight
            kernels.normal_(0, sqrt(2 / kernels[0].numel()), generator=generator)
            layer.convolution.bias.zero_()
