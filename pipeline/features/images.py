"""From a photo's bytes to the pixels that a network takes."""

import io

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from pipeline.data.photo import Photo
from pipeline.errors import InputError

GREY = (114, 114, 114)
"""What fills a letterbox, as in the training of YOLO models."""


def decode(photo: Photo) -> Image.Image:
    """The picture of a packed photo, an upright JPEG, RGB. Raises InputError naming a photo that cannot be decoded."""
    try:
        with JpegImageFile(io.BytesIO(photo.jpeg)) as image:
            return image.convert("RGB")
    except Exception as error:  # Pillow's decoders raise whatever a broken file makes them stumble over.
        raise InputError(f"Photo {photo.id!r} cannot be decoded ({error}): run the crawl stage again.") from None


def squash(image: Image.Image, size: int) -> np.ndarray:
    """The whole picture at size × size pixels, uint8 (3, size, size): the paper rescales and does not crop (5.1).

    Pillow's bilinear filter, which averages over what it reduces.
    """
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR)).transpose(2, 0, 1)


def letterbox(image: Image.Image, size: int, grey: tuple[int, int, int] = GREY) -> np.ndarray:
    """The picture in the middle of a grey square, its longer side `size` pixels, uint8 (3, size, size).

    Always square, unlike ultralytics' own, which shapes a batch after its photos: a photo's pixels depend on it alone.
    """
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    square = Image.new("RGB", (size, size), grey)
    square.paste(image.resize((width, height), Image.Resampling.BILINEAR), ((size - width) // 2, (size - height) // 2))
    return np.asarray(square).transpose(2, 0, 1)


def framed(
    image: Image.Image, size: int, edge: int, mode: str, resampling: Image.Resampling, fill: tuple[int, int, int]
) -> np.ndarray:
    """The centre of a picture that is scaled to `edge` pixels, uint8 (3, size, size), as timm prepares it.

    `mode` says what is `edge` pixels long: the shorter side ("center"), the longer one ("border"), or both ("squash").
    `fill` is the colour where the picture does not reach.
    """
    width, height = image.size
    match mode:
        case "center":
            shorter = min(width, height)
            width, height = edge * width // shorter, edge * height // shorter
        case "border":
            scale = max(width, height) / edge
            width, height = round(width / scale), round(height / scale)
        case "squash":
            width = height = edge
        case _:
            raise ValueError(f"unknown mode {mode!r}")
    square = Image.new("RGB", (size, size), fill)
    # As timm rounds where the difference is odd.
    left, top = ((size - side) // 2 if side < size else -round((side - size) / 2) for side in (width, height))
    square.paste(image.resize((width, height), resampling), (left, top))
    return np.asarray(square).transpose(2, 0, 1)
