"""The decoders of packed photos, by name. A new one is a function and a line here.

torch is imported by what uses it: processes that decode with Pillow do without it, and start sooner.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from PIL import Image

from pipeline.data.photo import Photo
from pipeline.errors import one_line
from pipeline.features.images import Picture, decode, placed

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

FILTERS = {Image.Resampling.BILINEAR: "bilinear", Image.Resampling.BICUBIC: "bicubic"}
"""The filters that torch has as well."""


class TensorPicture:
    """A decoded photo as a tensor: uint8 (3, height, width)."""

    def __init__(self, pixels: "Tensor"):
        self._pixels = pixels

    @property
    def size(self) -> tuple[int, int]:
        """The width and height."""
        _, height, width = self._pixels.shape
        return width, height

    def placed(
        self,
        scaled: tuple[int, int],
        corner: tuple[int, int],
        size: int,
        fill: tuple[int, int, int],
        resampling: Image.Resampling,
    ) -> "Tensor":
        """Returns uint8 (size, size, 3), as the function `placed`; Pillow scales by filters that torch lacks.

        The tensor must lie on the CPU, where torch scales bytes as they are.
        """
        import torch
        from torch.nn.functional import interpolate

        if resampling not in FILTERS:
            picture = Image.fromarray(self._pixels.permute(1, 2, 0).numpy())
            return torch.tensor(placed(picture, scaled, corner, size, fill, resampling))
        (width, height), (left, top) = scaled, corner
        # (1, 3, height, width) of the photo to those of `scaled`.
        resized = interpolate(self._pixels[None], (height, width), mode=FILTERS[resampling], antialias=True)
        square = torch.tensor(fill, dtype=torch.uint8)[:, None, None].repeat(1, size, size)
        x, y = max(left, 0), max(top, 0)
        part = resized[0, :, max(-top, 0) :, max(-left, 0) :][:, : size - y, : size - x]
        square[:, y : y + part.shape[1], x : x + part.shape[2]] = part
        return square.permute(1, 2, 0)


def decode_with_torchvision(photo: Photo) -> Picture:
    """Decodes a packed photo with torchvision, or with Pillow what torchvision refuses, which is logged.

    Raises ArtifactError naming a photo that is broken.
    """
    import torch

    io = torchvision_io()
    try:
        data = torch.frombuffer(bytearray(photo.jpeg), dtype=torch.uint8)
        return TensorPicture(io.decode_jpeg(data, mode=io.ImageReadMode.RGB))
    except (RuntimeError, ValueError) as error:
        picture = decode(photo)
        log.warning("Photo %r is decoded by Pillow: torchvision refuses it (%s).", photo.id, one_line(error))
        return picture


@cache
def torchvision_io() -> ModuleType:
    """Imports torchvision's decoders."""
    from pipeline.features.networks.torchvision.library import import_torchvision

    return import_torchvision("torchvision.io")


DECODERS: Mapping[str, Callable[[Photo], Picture]] = {"pillow": decode, "torchvision": decode_with_torchvision}
"""The decoders that run in processes of their own."""


def import_for(decoder: str) -> None:
    """Imports what a decoder needs. A failure is left to the decoder, which imports it again."""
    if decoder == "torchvision":
        with suppress(Exception):
            torchvision_io()
