"""The place where a photo was taken, in its Exif data."""

from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from pipeline.keywords.coordinates import UNITS, Angle, position
from pipeline.keywords.exif import exif_of

AXES = (
    (ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "NS"),
    (ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "EW"),
)
"""The fields of an angle and of its hemisphere, and the letters of positive and of negative angles."""

PRECISION = 10_000_000
"""The parts of a degree in which positions are written: each is a hundredth of a metre."""


def place_taken(file: bytes) -> tuple[float, float] | None:
    """Reads the position of a photo, latitude and longitude in degrees, from the bytes of its file.

    None where the file has no position, the camera marks it as void, or its Exif data are broken.
    """
    fields = exif_of(file, ExifTags.IFD.GPSInfo)
    latitude, longitude = (_angle(fields, angle, hemisphere) for angle, hemisphere, _ in AXES)
    return position(latitude, longitude, str(fields.get(ExifTags.GPS.GPSStatus, "")))


def add_place(jpeg: bytes, place: tuple[float, float]) -> bytes:
    """Returns a JPEG that has no Exif data with a position in degrees, as `place_taken` reads it."""
    exif = Image.Exif()
    fields = exif.get_ifd(ExifTags.IFD.GPSInfo)
    for degrees, (angle, hemisphere, letters) in zip(place, AXES, strict=True):
        parts = (IFDRational(round(abs(degrees) * PRECISION), PRECISION), IFDRational(0), IFDRational(0))
        fields |= {angle: parts, hemisphere: letters[degrees < 0]}
    content = exif.tobytes()
    return b"".join([jpeg[:2], b"\xff\xe1", (2 + len(content)).to_bytes(2, "big"), content, jpeg[2:]])


def keep_place(jpeg: bytes, earlier: bytes) -> bytes:
    """Returns a JPEG without other Exif data with the position of an earlier one, unless it has its own."""
    place = None if place_taken(jpeg) else place_taken(earlier)
    return add_place(jpeg, place) if place else jpeg


def _angle(fields: Mapping[int, Any], angle: int, hemisphere: int) -> Angle:
    parts = fields.get(angle)
    is_angle = isinstance(parts, tuple) and len(parts) == len(UNITS)
    if not is_angle or not all(isinstance(part, IFDRational) for part in parts):
        return Angle()
    return Angle([float(part) for part in parts], str(fields.get(hemisphere, "")))
