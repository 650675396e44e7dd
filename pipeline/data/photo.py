"""Photos made uniform: fully decoded, upright, RGB, of bounded size."""

import ctypes
import io
import logging
import warnings
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from math import inf

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError, _imaging
from PIL.JpegImagePlugin import JpegImageFile

from pipeline.data.jpeg import strip_metadata
from pipeline.data.pixels import PixelBudget
from pipeline.data.png import SIGNATURE, strip_large_chunks

SIDE = 500
"""Pixels of a packed photo's longer side, at most: Flickr's medium size, more than any extractor looks at."""
SMALLEST = 32
"""Pixels of a packed photo's shorter side, at least."""
LARGEST = 512 * 1024
"""The number of bytes above which a JPEG is encoded anew: at `SIDE` pixels, few of them are the picture's."""
DECODED_AT_ONCE = PixelBudget(64_000_000)
"""Pixels decoded at once, whatever the number of threads; each takes 4 bytes, and as many for each copy."""
QUALITY = 92
FORMATS = ("BMP", "GIF", "PNG", "TIFF", "WEBP")
"""Formats that Pillow opens by itself.

It knows more, and opens PostScript by running a program, which is unsafe for a stranger's file.
"""
VIDEO_FORMATS = ("AVIF", "HEIF")
"""Formats that are pictures in a video's container, HEIF by a library of its own."""
WHITES = (1, 255, 65_535)
"""The usual values of white in grey pictures of 32 bits."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that undoes each orientation of EXIF."""


@dataclass(frozen=True)
class Photo:
    """An upright RGB JPEG, its id, and its size in pixels."""

    id: str
    jpeg: bytes
    width: int
    height: int


@dataclass(frozen=True)
class PhotoFile:
    """An image file as someone has it: of any format, and perhaps broken."""

    name: str
    """Its name, which serves for messages only."""
    data: bytes
    """Its bytes."""


class PhotoError(Exception):
    """A photo that cannot be used; the reason has the same words for every photo that fails in that way."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def prepare(photo: str, data: bytes, side: int = SIDE, pixels: float = inf) -> Photo:
    """Makes a photo from an image file's bytes: an upright RGB JPEG of at most `side` pixels a side.

    A JPEG that is so already keeps the bytes of its picture. No metadata is kept: neither where a photo was taken, nor
    by whom. Transparent parts become white; an animation gives its first picture. Raises PhotoError: "not an image",
    "undecodable" (cut short, broken), "too small" (its shorter side below `SMALLEST`), "too narrow" (its shorter side
    falls below it where the longer one is reduced), "too large" (a decompression bomb, or more than
    `pixels`, for a caller who expects fewer than Pillow accepts).
    """
    _silence_pillow()
    try:
        image = _open(data, side)
        if image.width * image.height > pixels:
            raise Image.DecompressionBombError
        with DECODED_AT_ONCE.spend(image.width * image.height):
            image.load()
            shorter = min(image.size)
            orientation = _orientation(image)  # Not before: Pillow turns a TIFF upright when it is loaded.
            fits = image.format == "JPEG" and image.mode == "RGB" and orientation == 1 and max(image.size) <= side
            image = _rgb(image)
            if orientation in UPRIGHT:
                image = image.transpose(UPRIGHT[orientation])
            image.thumbnail((side, side), Image.Resampling.LANCZOS)
    except UnidentifiedImageError:
        raise PhotoError("not an image") from None
    except Image.DecompressionBombError:
        raise PhotoError("too large") from None
    except Exception as error:  # Pillow's decoders raise whatever a broken file makes them stumble over.
        raise PhotoError("undecodable") from error
    if min(image.size) < SMALLEST:
        raise PhotoError("too small" if shorter < SMALLEST else "too narrow")
    return Photo(photo, (_stripped(data) if fits else None) or _encode(image), *image.size)


def _silence_pillow() -> None:
    """Silences Pillow and libtiff, whose warnings do not name the photo."""
    warnings.filterwarnings("ignore", module=r"PIL\b")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    _silence_libtiff()


@cache
def _silence_libtiff() -> None:
    """Removes the functions by which libtiff prints, if Pillow uses it as a shared library."""
    pillow = ctypes.CDLL(_imaging.__file__)
    with suppress(AttributeError):
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            getattr(pillow, name)(None)


def _open(data: bytes, side: int) -> Image.Image:
    """Opens an image file: a JPEG to be decoded at the fraction of its size that leaves twice `side`.

    The reduction to `side` then keeps its quality. Raises DecompressionBombError for more pixels than Pillow accepts:
    of a JPEG, those that are decoded, unless it is progressive and decoded as a whole first.
    """
    if not data.startswith(b"\xff\xd8"):
        if data.startswith(SIGNATURE):
            data = strip_large_chunks(data)
        if data[4:8] == b"ftyp":
            _register_heif()
            return Image.open(io.BytesIO(data), formats=VIDEO_FORMATS)
        return Image.open(io.BytesIO(data), formats=FORMATS)
    try:
        image = JpegImageFile(io.BytesIO(data))  # By itself: Image.open judges a file by its full size.
    except SyntaxError:
        raise UnidentifiedImageError from None
    size = image.size
    image.draft(None, (2 * side, 2 * side))
    width, height = size if "progressive" in image.info else image.size
    if Image.MAX_IMAGE_PIXELS and width * height > 2 * Image.MAX_IMAGE_PIXELS:
        raise Image.DecompressionBombError
    return image


@cache
def _register_heif() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()


def _stripped(jpeg: bytes) -> bytes | None:
    """Strips a JPEG's metadata. Returns None when that fails, or when more than `LARGEST` bytes are left."""
    try:
        stripped = strip_metadata(jpeg)
    except ValueError:  # Pillow reads files that are not quite JPEG.
        return None
    return stripped if len(stripped) <= LARGEST else None


def _orientation(image: Image.Image) -> int:
    """Reads EXIF's orientation: 1 (upright) where there is none or the EXIF data is broken, as viewers do."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # As above: a picture is not lost because its EXIF data is broken.
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _grey(image).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _grey(image: Image.Image) -> Image.Image:
    """Scales grey of 16 or 32 bits to 8, on white where it is transparent; Pillow would clip it.

    Nothing says which of 32 bits is white: the least of `WHITES` that no value exceeds, else the greatest value.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0, neginf=0)
    white = 65_535
    if image.mode in ("I", "F"):
        greatest = values.max()
        whites = WHITES if image.mode == "F" else WHITES[1:]
        white = next((white for white in whites if greatest <= white), greatest)
    shades = (values.clip(0, white) * (255 / white)).round().astype(np.uint8)
    if "transparency" in image.info:
        shades[values == image.info["transparency"]] = 255
    return Image.fromarray(shades)


def _encode(image: Image.Image) -> bytes:
    image.info.clear()  # Or the comments of the source would be written as well.
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
