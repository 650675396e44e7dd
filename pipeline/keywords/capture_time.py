"""The time at which a photo was taken, from its Exif data."""

from PIL import ExifTags

from pipeline.keywords.exif import exif_of
from pipeline.keywords.metadata import milliseconds

TIMES = (
    (ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
    (ExifTags.Base.DateTimeDigitized, ExifTags.Base.OffsetTimeDigitized),
)
"""Fields with the time of a photo, and its zone, in the order in which they are tried."""


def time_taken(file: bytes) -> int | None:
    """Reads the time of a photo from the bytes of its file, in milliseconds since 1970.

    A time without a zone is taken as UTC. None where the file has no time, or its Exif data are broken.
    """
    fields = exif_of(file, ExifTags.IFD.Exif)
    dates = (f"{fields.get(time, '')}{fields.get(zone, '')}".replace("\0", "") for time, zone in TIMES)
    return next((time for time in map(milliseconds, dates) if time is not None), None)
