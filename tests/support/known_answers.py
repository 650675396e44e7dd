"""The vectors that each kind of extractor must give, computed a second way: by its library's own code, or by hand.

They take the pixels that the network sees, uint8 (B, size, size, 3), or images, and return float32 (B, dimension).
"""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, leaky_relu, max_pool2d

from pipeline.features.networks.ultralytics.library import import_ultralytics
from tests.support.darknet_files import BACKBONE

SEED = 3
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, of the colours red, green and blue."""
POOLED = {0, 1, 4, 7, 12}
"""The convolutions of Darknet-19 that a maximum over 2 × 2 pixels follows (Redmon and Farhadi, 2017, Table 6)."""


def scaled(pixels: np.ndarray) -> Tensor:
    """Returns pixels from 0 to 1, (B, 3, size, size)."""
    return torch.from_numpy(pixels.transpose(0, 3, 1, 2) / 255).float()


def normalised(pixels: np.ndarray) -> Tensor:
    """Returns pixels as networks trained on ImageNet take them, (B, 3, size, size)."""
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
    return (scaled(pixels) - mean) / deviation


def torchvision_squeezenet(pixels: np.ndarray) -> np.ndarray:
    """SqueezeNet 1.1 as torchvision builds it after the seed was set."""
    from torchvision.models import squeezenet1_1

    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(SEED)
        model = squeezenet1_1(weights=None).eval()
        return model.features(normalised(pixels)).mean((2, 3)).numpy()


def timm_test_resnet(images: Sequence[Image.Image], size: int) -> np.ndarray:
    """timm's model without its classifier, which pools by itself, on images that timm transforms itself."""
    import timm

    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(SEED)
        model = timm.create_model("test_resnet", pretrained=False).eval()
        model.reset_classifier(0)
        settings = timm.data.resolve_model_data_config(model) | {"input_size": (3, size, size)}
        transform = timm.data.create_transform(**settings)
        return model(torch.stack([transform(image) for image in images])).numpy()


def darknet19(pixels: np.ndarray) -> np.ndarray:
    """Darknet-19 of seeded weights, one convolution after another, averaged over its last map."""
    generator = torch.Generator().manual_seed(SEED)
    maps = scaled(pixels)
    for number, (channels, filters, size, _) in enumerate(BACKBONE):
        kernels = torch.empty(filters, channels, size, size)
        kernels.normal_(0, (2 / (channels * size**2)) ** 0.5, generator=generator)
        maps = leaky_relu(conv2d(maps, kernels, padding=size // 2), 0.1)
        if number in POOLED:
            maps = max_pool2d(maps, 2)
    return maps.mean((2, 3)).numpy()


def small_yolov2(path: Path, pixels: np.ndarray) -> np.ndarray:
    """The small detector of `darknet_files`, by hand: the maximum over windows of 32 × 32, then one convolution."""
    numbers = path.read_bytes()[struct.calcsize("<4i") :]
    biases, kernels = np.split(np.frombuffer(numbers, "<f4"), [85])
    # Darknet's windows begin half their size before the picture.
    windows = [slice(0, 17), slice(17, 49)]
    cells = [[pixels[:, rows, columns].max((1, 2)) for columns in windows] for rows in windows]
    cells = np.moveaxis(np.array(cells), 2, 0) / 255  # (B, 2, 2, 3)
    outputs = cells @ kernels.reshape(85, 3).T + biases  # (B, 2, 2, 85): box, objectness, scores of 80 classes
    objectness = 1 / (1 + np.exp(-outputs[..., 4:5]))
    shares = np.exp(outputs[..., 5:])
    return (objectness * shares / shares.sum(-1, keepdims=True)).max((1, 2))


def ultralytics_detector(path: Path, pixels: np.ndarray) -> np.ndarray:
    """The scores that ultralytics' own model gives to all its boxes, before it suppresses any; their maximum."""
    model = import_ultralytics().YOLO(str(path)).model.eval().float()
    with torch.inference_mode():
        boxes = model(scaled(pixels))[0]  # (B, 4 + 80, anchors)
    return boxes[:, 4:].amax(2).numpy()
