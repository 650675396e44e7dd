"""The place where a photo was taken, from its Exif data."""

from collections.abc import Mapping
from typing import Any

from PIL import ExifTags
from PIL.TiffImagePlugin import IFDRational

from pipeline.keywords.coordinates import UNITS, Angle, position
from pipeline.keywords.exif import exif_of


def place_taken(file: bytes) -> tuple[float, float] | None:
    """Reads the position of a photo, latitude and longitude in degrees, from the bytes of its file.

    None where the file has no position, or its Exif data are broken.
    """
    fields = exif_of(file, ExifTags.IFD.GPSInfo)
    latitude = _angle(fields, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef)
    return position(latitude, _angle(fields, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef))


def _angle(fields: Mapping[int, Any], angle: int, hemisphere: int) -> Angle:
    parts = fields.get(angle)
    is_angle = isinstance(parts, tuple) and len(parts) == len(UNITS)
    if not is_angle or not all(isinstance(part, IFDRational) for part in parts):
        return Angle()
    return Angle([float(part) for part in parts], str(fields.get(hemisphere, "")))
