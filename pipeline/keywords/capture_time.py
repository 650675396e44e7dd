"""The time at which a photo was taken, from its Exif data, by Pillow: exiv2 is not given strangers' files."""

import warnings
from contextlib import suppress

from PIL import ExifTags, Image

from pipeline.keywords.metadata import milliseconds

HEADS = (b"II*\0", b"MM\0*")
"""The first bytes of Exif data, which stand as they are in JPEG, HEIC and WebP files."""
JPEG = b"\xff\xd8"
"""The first bytes of a JPEG, whose Exif data come before the picture."""
LARGEST = 64 * 1024
"""The number of bytes of Exif data that are read: a JPEG has no room for more."""
TIMES = (
    (ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
    (ExifTags.Base.DateTimeDigitized, ExifTags.Base.OffsetTimeDigitized),
)
"""Fields with the time of a photo, and its zone, in the order in which they are tried."""


def time_taken(file: bytes) -> int | None:
    """Reads the time of a photo from the bytes of its file, in milliseconds since 1970.

    A time without a zone is taken as UTC. None where the file has no time, or its Exif data are broken.
    """
    # Pillow's warnings name a line of its own instead of the photo.
    warnings.filterwarnings("ignore", module=r"PIL\b")
    end = LARGEST if file.startswith(JPEG) else len(file)
    places = (file.find(head, 0, end) for head in HEADS)
    start = min((place for place in places if place >= 0), default=len(file))
    fields = {}
    with suppress(Exception):  # Pillow raises whatever broken data makes it stumble over.
        exif = Image.Exif()
        exif.load(file[start : start + LARGEST])
        fields = exif.get_ifd(ExifTags.IFD.Exif)
    dates = (f"{fields.get(time, '')}{fields.get(zone, '')}".replace("\0", "") for time, zone in TIMES)
    return next((time for time in map(milliseconds, dates) if time is not None), None)
