"""Photos made uniform: fully decoded, upright, RGB, of bounded size."""

import io
from dataclasses import dataclass

from PIL import ExifTags, Image, UnidentifiedImageError

from pipeline.data.jpeg import strip_metadata

SIDE = 500
"""Pixels of a packed photo's longer side, at most: Flickr's medium size, more than any extractor looks at."""
SMALLEST = 32
"""Pixels of a packed photo's shorter side, at least."""
LARGEST = 512 * 1024
"""The number of bytes above which a JPEG is encoded anew: at `SIDE` pixels, most of them are no picture."""
QUALITY = 92
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""Accepted formats. Pillow opens more, PostScript by running a program, which is unsafe for a stranger's file."""

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
    """A photo that cannot be had; the reason has the same words for every photo that fails in that way."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def prepare(photo: str, data: bytes, side: int = SIDE) -> Photo:
    """Makes a photo from an image file's bytes: an upright RGB JPEG of at most `side` pixels a side.

    A JPEG that is so already keeps the bytes of its picture. No metadata is kept: neither where a photo was taken, nor
    by whom. Transparent parts become white; an animation gives its first picture. Raises PhotoError: "not an image",
    "undecodable" (cut short, broken), "too small" (its shorter side, once reduced, below `SMALLEST`), "too large" (a
    decompression bomb).
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        # A JPEG can be decoded at a fraction of its size; at twice the size needed, the reduction keeps its quality.
        image.draft(None, (2 * side, 2 * side))
        image.load()
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
        raise PhotoError("too small")
    return Photo(photo, (_stripped(data) if fits else None) or _encode(image), *image.size)


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
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip at 255.
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return image.convert("RGB")


def _encode(image: Image.Image) -> bytes:
    image.info.clear()  # Or the comments of the source would be written as well.
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
