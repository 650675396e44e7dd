"""Photos on a device, resized and placed together: a GPU gets some launches for each batch, not for each photo.

Resizing is linear along each axis, and so is placing: a photo's square is rows · pixels · columnsᵀ, by a matrix of
weights for each axis, (size, height) and (size, width). Where the photo does not reach, their rows are zero.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from pipeline.features.extraction.decoders import TensorPicture

AT_ONCE = 48 * 2**20
"""Bytes of pixels resized at once, those of 64 photos of 500 × 500, unless one photo has more.

The products take some ten times as much.
"""
ALIGNED = 16
"""The sides of a canvas are multiples of it: float16 is multiplied fastest when so aligned."""


def _triangle(distance: Tensor) -> Tensor:
    """Linear interpolation."""
    return (1 - distance).clamp_(min=0)


def _cubic(distance: Tensor) -> Tensor:
    """Keys' cubic convolution with a = -0.5, as Pillow and, with antialiasing, torch have it."""
    near = (1.5 * distance - 2.5) * distance * distance + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return torch.where(distance < 1, near, torch.where(distance < 2, far, 0.0))


KERNELS: Mapping[Image.Resampling, tuple[int, Callable[[Tensor], Tensor]]] = {
    Image.Resampling.BILINEAR: (1, _triangle),
    Image.Resampling.BICUBIC: (2, _cubic),
}
"""The filters: the distance from which on they are zero, and the function of the distance."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A photo on its way into a square, in the words of the function `placed`."""

    pixels: Tensor
    """The photo: uint8 (3, height, width)."""
    scaled: tuple[int, int]
    """The width and height that it is scaled to."""
    corner: tuple[int, int]
    """The place of its upper left corner in the square, from the left and from above."""
    size: int
    """The side of the square."""
    fill: tuple[int, int, int]
    """The colour where the photo does not reach."""
    resampling: Image.Resampling
    """The filter."""

    def alone(self) -> Tensor:
        """Resizes and places this photo on the CPU. Returns uint8 (size, size, 3), on the photo's device."""
        picture = TensorPicture(self.pixels.cpu())
        square = picture.placed(self.scaled, self.corner, self.size, self.fill, self.resampling)
        return square.to(self.pixels.device)


class NotingPicture(TensorPicture):
    """A decoded photo, on any device, that only notes where it is to be placed."""

    def placed(self, *place: Any) -> Placement:
        """Returns the place."""
        return Placement(self._pixels, *place)


def preprocess_together(preprocess: Callable[[Any], Any], photos: Sequence[Tensor]) -> Tensor:
    """Preprocesses photos for a network. Returns uint8 (B, size, size, 3), on their device.

    Some 1 to 4 of 100 numbers differ from those of Pillow's resizing, by 1 of 255, rarely 2. Filters that are not in
    `KERNELS` are applied on the CPU, photo by photo.

    preprocess: a function as `Extractor.preprocess`, which returns what `placed` gives.
    photos: at least one, uint8 (3, height, width) each, all on one device.
    """
    placements: list[Placement] = [preprocess(NotingPicture(pixels)) for pixels in photos]
    size, device = placements[0].size, photos[0].device
    squares = torch.empty((len(photos), size, size, 3), dtype=torch.uint8, device=device)
    for numbers in _parts(placements):
        squares[_tensor(numbers, device)] = _place([placements[number] for number in numbers])
    return squares


def _parts(placements: Sequence[Placement]) -> Iterator[list[int]]:
    """Yields the numbers of photos that are placed at once, few enough for the memory.

    They have one fill and filter, and similar shapes, so that little of their canvas stays empty.
    """
    kinds = [(placement.fill, placement.resampling) for placement in placements]
    shapes = [placement.pixels.shape[1:] for placement in placements]
    square = placements[0].size ** 2
    part: list[int] = []
    highest = widest = 0
    for number in sorted(range(len(placements)), key=lambda number: (kinds[number], shapes[number])):
        height, width = shapes[number]
        highest, widest = max(highest, height), max(widest, width)
        full = 3 * max(highest * widest, square) * (len(part) + 1) > AT_ONCE
        if part and (full or kinds[number] != kinds[part[0]]):
            yield part
            part, highest, widest = [], height, width
        part.append(number)
    yield part


def _place(placements: Sequence[Placement]) -> Tensor:
    """Resizes and places photos by two products. Returns uint8 (B, size, size, 3).

    placements: of one size, fill and filter.
    """
    size, fill = placements[0].size, placements[0].fill
    if placements[0].resampling not in KERNELS:
        return torch.stack([placement.alone() for placement in placements])
    pixels = _canvas([placement.pixels for placement in placements])
    count, height, _, width = pixels.shape
    columns, within_columns = _weights(placements, 0, width)
    rows, within_rows = _weights(placements, 1, height)

    # (B, height · 3, width) · (B, width, size), made bytes between the axes, as by Pillow.
    narrowed = _bytes(_product(pixels.view(count, height * 3, width), columns.mT)).half()

    # (B, size, height) · (B, height, 3 · size); then (B, size, 3, size) to (B, size, size, 3).
    squares = _bytes(_product(rows, narrowed.view(count, height, 3 * size)))
    shades = squares.view(count, size, 3, size).permute(0, 1, 3, 2)
    within = within_rows[:, :, None, None] & within_columns[:, None, :, None]
    return torch.where(within, shades, _tensor(fill, shades.device).byte())


def _canvas(photos: Sequence[Tensor]) -> Tensor:
    """Puts photos, uint8 (3, height, width), into tensors of one shape: float16 (B, height, 3, width).

    Each begins at the upper left. The rest is whatever bytes were there: they have no weight.
    """
    height, width = (-(-max(photo.shape[axis] for photo in photos) // ALIGNED) * ALIGNED for axis in (1, 2))
    canvas = torch.empty((len(photos), height, 3, width), dtype=torch.uint8, device=photos[0].device)
    for number, photo in enumerate(photos):
        # One view, where indices would make several.
        canvas.as_strided(photo.shape, (width, 3 * width, 1), number * height * 3 * width).copy_(photo)
    return canvas.half()


def _weights(placements: Sequence[Placement], axis: int, room: int) -> tuple[Tensor, Tensor]:
    """Computes the matrices that scale and place photos along an axis, as torch and Pillow do with antialiasing.

    axis: 0 from left to right, 1 from top to bottom.
    room: the length of the canvas.

    Returns the weights, float16 (B, size, room), and where the photo reaches, bool (B, size).
    """
    size, (radius, kernel), device = placements[0].size, KERNELS[placements[0].resampling], placements[0].pixels.device
    spans = [(each.pixels.shape[2 - axis], each.scaled[axis], each.corner[axis]) for each in placements]
    taps = min(room, max(ceil(2 * radius * max(1, length / scaled)) + 1 for length, scaled, _ in spans))

    length, scaled, corner = _tensor(spans, device)[:, :, None].unbind(1)  # (B, 1) each.
    place = torch.arange(size, device=device) - corner  # In the scaled photo, (B, size).
    within = (place >= 0) & (place < scaled)
    scale = length / scaled
    spread = scale.clamp(min=1)
    centre = (place + 0.5) * scale  # In the photo, (B, size).

    # (B, size, taps): the pixels around each centre, all that can have a weight.
    first = (centre - radius * spread + 0.5).floor().clamp(0, room - taps).long()
    pixel = first[..., None] + torch.arange(taps, device=device)
    weight = kernel((pixel + 0.5 - centre[..., None]).abs() / spread[..., None]) * (pixel < length[..., None])
    weight = torch.where(within[..., None], weight / weight.sum(2, keepdim=True), 0.0)
    matrix = torch.zeros((len(placements), size, room), dtype=torch.float16, device=device)
    return matrix.scatter_(2, pixel, weight.half()), within


def _product(one: Tensor, other: Tensor) -> Tensor:
    """Multiplies batches of matrices in float16, summed in float32: a GPU does so several times as fast as in float32.

    Bytes are exact in float16; a weight loses up to 1/2048 of itself.
    """
    if one.is_cuda:
        return torch.bmm(one, other, out_dtype=torch.float32)
    return one.float() @ other.float()  # The CPU has no product that returns more than it is given.


def _bytes(shades: Tensor) -> Tensor:
    """Rounds to bytes, in place as far as possible, and halves upwards as Pillow does."""
    return shades.add_(0.5).clamp_(0, 255).byte()


def _tensor(numbers: Sequence[Any], device: torch.device) -> Tensor:
    """Makes a tensor on a device without waiting for the work that is queued there."""
    return torch.tensor(numbers).to(device, non_blocking=True)
