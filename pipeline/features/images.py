"""From a photo's bytes to the pixels that a network takes, uint8 (size, size, 3)."""

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from pipeline.data.photo import Photo, PhotoFile, prepare
from pipeline.errors import ArtifactError

GREY = (114, 114, 114)
"""The colour around a letterboxed photo, as in the training of YOLO models."""
BLACK = (0, 0, 0)


class OtherPicture(Protocol):
    """A decoded photo in another form than Pillow's."""

    @property
    def size(self) -> tuple[int, int]:
        """The width and height."""

    def placed(
        self,
        scaled: tuple[int, int],
        corner: tuple[int, int],
        size: int,
        fill: tuple[int, int, int],
        resampling: Image.Resampling,
    ) -> Any:
        """Returns uint8 (size, size, 3), as the function `placed`."""


Picture = Image.Image | OtherPicture


def decode(photo: Photo) -> Image.Image:
    """Decodes a packed photo, an upright JPEG, to RGB. Raises ArtifactError naming a photo that is broken."""
    try:
        with JpegImageFile(io.BytesIO(photo.jpeg)) as image:
            return image.convert("RGB")
    except Exception as error:  # Pillow's decoders raise whatever a broken file makes them stumble over.
        raise ArtifactError(f"Photo {photo.id!r} cannot be decoded ({error}).") from None


def open_picture(photo: Photo | PhotoFile) -> Image.Image:
    """Decodes a packed photo, or a file just as if it had been packed.

    Raises ArtifactError for a packed photo that is broken, PhotoError for such a file.
    """
    return decode(prepare(photo.name, photo.data) if isinstance(photo, PhotoFile) else photo)


def placed(
    image: Picture,
    scaled: tuple[int, int],
    corner: tuple[int, int],
    size: int,
    fill: tuple[int, int, int] = BLACK,
    resampling: Image.Resampling = Image.Resampling.BILINEAR,
) -> np.ndarray:
    """Scales a picture to a width and height, and puts it into a square: its corner may lie outside.

    fill: the colour where the picture does not reach.
    """
    if not isinstance(image, Image.Image):
        return image.placed(scaled, corner, size, fill, resampling)
    resized = image.resize(scaled, resampling)
    if scaled == (size, size):
        return np.asarray(resized)
    square = Image.new("RGB", (size, size), fill)
    square.paste(resized, corner)
    return np.asarray(square)


def resize_to_square(image: Picture, size: int) -> np.ndarray:
    """Resizes the whole picture to size × size pixels: the paper rescales and does not crop (Section 5.1).

    The filter is Pillow's bilinear one, which averages over the pixels that it reduces.
    """
    return placed(image, (size, size), (0, 0), size)


def letterbox(image: Picture, size: int, colour: tuple[int, int, int] = GREY) -> np.ndarray:
    """Puts the picture in the middle of a square of one colour, its longer side `size` pixels.

    It is always square, so that a photo's pixels depend on it alone; ultralytics' own shapes a batch after its photos.
    """
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    return placed(image, (width, height), ((size - width) // 2, (size - height) // 2), size, colour)


def centre_crop(
    image: Picture, size: int, edge: int, mode: str, resampling: Image.Resampling, fill: tuple[int, int, int]
) -> np.ndarray:
    """Cuts the centre out of a picture that is scaled to `edge` pixels, as timm does.

    mode: timm's word for what is `edge` pixels long: the shorter side ("center"), the longer one ("border"), or both
        ("squash").
    fill: the colour where the picture does not reach.
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
    # As timm rounds where the difference is odd.
    left, top = ((size - side) // 2 if side < size else -round((side - size) / 2) for side in (width, height))
    return placed(image, (width, height), (left, top), size, fill, resampling)


PREPROCESSORS: Mapping[str, Callable[..., np.ndarray]] = {
    function.__name__: function for function in (resize_to_square, letterbox, centre_crop)
}
"""The functions from a photo to a network's input, by name; a new one has a line here."""


def preprocess_spec(preprocess: partial) -> dict[str, Any]:
    """Describes one of `PREPROCESSORS` and its arguments in terms of JSON."""
    return {"function": preprocess.func.__name__, "arguments": dict(preprocess.keywords)}


def preprocess_from(spec: Mapping[str, Any]) -> partial:
    """Returns the function that `preprocess_spec` described. Raises KeyError for an unknown one."""
    # JSON has lists where Pillow takes colours as tuples.
    arguments = {name: tuple(value) if isinstance(value, list) else value for name, value in spec["arguments"].items()}
    return partial(PREPROCESSORS[spec["function"]], **arguments)
