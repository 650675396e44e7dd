"""The Exif data of photos, by Pillow: exiv2 is not given strangers' files."""

import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from PIL import ExifTags, Image

from pipeline.data.jpeg import segments

JPEG, SEGMENT = b"\xff\xd8", b"Exif\0\0"
"""The first bytes of a JPEG, and of the segment with its Exif data: makers have segments that look alike."""
HEADS = (b"II*\0", b"MM\0*")
"""The first bytes of Exif data, which stand as they are in PNG, WebP, HEIC and AVIF files."""
LARGEST = 64 * 1024
"""The number of bytes of Exif data that are read: a JPEG has no room for more."""


def exif_of(file: bytes, directory: ExifTags.IFD) -> Mapping[int, Any]:
    """Reads a directory of the Exif data in the bytes of a photo's file.

    It is empty where the file has none, or its Exif data are broken.
    """
    # Pillow's warnings name a line of its own instead of the photo.
    warnings.filterwarnings("ignore", module=r"PIL\b")
    with suppress(Exception):  # Pillow raises whatever broken data makes it stumble over.
        exif = Image.Exif()
        exif.load(_find(file))
        return exif.get_ifd(directory)
    return {}


def _find(file: bytes) -> bytes:
    """Finds the Exif data; empty where there are none. Raises ValueError for a broken JPEG."""
    if file.startswith(JPEG):
        contents = (content for _, content, _, _ in segments(file))
        return next((content.removeprefix(SEGMENT) for content in contents if content.startswith(SEGMENT)), b"")
    offsets = (file.find(head) for head in HEADS)
    start = min((offset for offset in offsets if offset >= 0), default=len(file))
    return file[start : start + LARGEST]
