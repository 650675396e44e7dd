"""Darknet's layers as torch modules, each checked against darknet's own loops."""

from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.features.networks.darknet.cfg import Convolutional

NEGATIVE_SLOPE = 0.1
"""The factor of negative numbers in darknet's leaky activation."""


class Convolution(nn.Module):
    """A convolution and its activation: (B, channels, H, W) to (B, filters, H', W').

    Its weights are undefined until they are read or drawn. Batch normalisation is folded into kernels and biases when
    they are read: `normalised` is true when the file holds its numbers.
    """

    def __init__(self, section: Convolutional, channels: int):
        super().__init__()
        self.normalised, self.activation = section.batch_normalize, section.activation
        shape = (channels, section.filters, section.size, section.stride, section.border)
        # Without torch's own weights: drawing them takes longer than reading the file, and numbers of its generator.
        self.convolution = nn.utils.skip_init(nn.Conv2d, *shape, groups=section.groups)

    @property
    def numbers(self) -> int:
        """Counts its numbers in a .weights file."""
        filters = self.convolution.out_channels
        return filters * (4 if self.normalised else 1) + prod(self.convolution.weight.shape)

    def forward(self, maps: Tensor) -> Tensor:
        maps = self.convolution(maps)
        return functional.leaky_relu(maps, NEGATIVE_SLOPE, inplace=True) if self.activation == "leaky" else maps


class MaxPool(nn.Module):
    """The maximum of each window: (B, C, H, W) to (B, C, H', W').

    H' = (H + padding - size) // stride + 1, and W' likewise. Half of the padding, rounded down, lies above and to the
    left, the rest below and to the right, and it is never the maximum. So a window of 2 with stride 1 keeps the map's
    size, its last row and column being pooled alone.
    """

    def __init__(self, size: int, stride: int, padding: int | None):
        super().__init__()
        self.size, self.stride = size, stride
        self.padding = size - 1 if padding is None else padding

    def forward(self, maps: Tensor) -> Tensor:
        before = self.padding // 2
        after = [max(0, self._reach(side) - before - side) for side in maps.shape[2:]]
        if before or any(after):
            maps = functional.pad(maps, (before, after[1], before, after[0]), value=-torch.inf)
        return functional.max_pool2d(maps, self.size, self.stride)

    def _reach(self, side: int) -> int:
        """Returns the end of the last window, counted from the beginning of the first."""
        return (side + self.padding - self.size) // self.stride * self.stride + self.size


class Route(nn.Module):
    """The maps of layers of equal height and width, their channels one after the other."""

    def forward(self, *maps: Tensor) -> Tensor:
        return torch.cat(maps, 1)


class Reorg(nn.Module):
    """A map of more channels at a coarser stride s: (B, C, H, W) to (B, C·s², H/s, W/s).

    Darknet's `reorg_cpu` takes the map's memory for one of C/s² channels of s·H × s·W, moves each s × s block of these
    into channels, and takes the result's memory for the output. Any other order of the channels, however much more
    sensible, is not what the published weights were trained with.
    """

    def __init__(self, stride: int):
        super().__init__()
        self.stride = stride

    def forward(self, maps: Tensor) -> Tensor:
        (count, channels, height, width), stride = maps.shape, self.stride
        if height % stride or width % stride:
            raise ValueError(f"a map of {height} × {width} cannot be reordered with stride {stride}")
        # (B, C/s², H, s, W, s): each place of the result with its s × s block …
        blocks = maps.reshape(count, channels // stride**2, height, stride, width, stride)
        # … whose rows and columns become the slowest channels: (B, s, s, C/s², H, W), read as (B, C·s², H/s, W/s).
        return blocks.permute(0, 3, 5, 1, 2, 4).reshape(count, channels * stride**2, height // stride, width // stride)


class AvgPool(nn.Module):
    """The mean over the map: (B, C, H, W) to (B, C, 1, 1)."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean((2, 3), keepdim=True)


class Softmax(nn.Module):
    """Probabilities over all numbers of a picture: (B, C, H, W) to the same."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.flatten(1).softmax(1).reshape(maps.shape)
