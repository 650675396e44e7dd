"""Keywords, author, time and position inside a photo file, read by exiv2 from any format that it knows.

exiv2 is a library in C++ that meets files of strangers, and is not safe in threads: for many files, see `isolation`.
"""

import hashlib
import io
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.data.jpeg import segments
from pipeline.errors import InputError
from pipeline.keywords import packet
from pipeline.keywords.coordinates import UNITS, Angle, position
from pipeline.keywords.metadata import FLAT, IPTC, WINDOWS, KeywordError, Metadata, milliseconds

CHARACTER_SET = "Iptc.Envelope.CharacterSet"
LATIN_1 = (b"\x1b.A", b"\x1b-A")
"""The escape sequences by which IPTC declares ISO 8859-1."""
ARTISTS = ("Exif.Image.Artist", "Iptc.Application2.Byline", "Exif.Photo.CameraOwnerName")
"""Fields with the author or owner, in order of precedence, for photos whose XMP has none."""
TIMES = (
    ("Exif.Photo.DateTimeOriginal", "Exif.Photo.OffsetTimeOriginal"),
    ("Exif.Photo.DateTimeDigitized", "Exif.Photo.OffsetTimeDigitized"),
)
"""Fields with the time of a photo, and its zone, in order of precedence."""
LATITUDE, LONGITUDE, STATUS = (f"Exif.GPSInfo.GPS{name}" for name in ("Latitude", "Longitude", "Status"))
"""The fields with the position of a photo, and the receiver's status; those with its hemispheres end in Ref."""
RATIONAL = ("Rational", "SRational")
"""The types of rational numbers."""
RESOURCES = "Exif.Image.ImageResources"
"""Photoshop's resources in a TIFF; a JPEG has them in segments."""

PACKET = (b"<x:xmpmeta", b"</x:xmpmeta>")
"""The first and last tag of a packet."""
DECLARATION, DECLARED_WITHIN = b"application/rdf+xml", 64 * 1024
"""The type of a packet in HEIC and AVIF, and the number of first bytes that declare it."""


def read_photo(photo: Path | bytes) -> Metadata:
    """Reads a photo file, or its bytes.

    Of a truncated file, what stands before the cut counts. Where IPTC and XMP both have flat keywords, those of XMP
    hold, unless the file shows that IPTC was edited last (guidelines of the Metadata Working Group, 3.3). Raises
    KeywordError for a file that exiv2 cannot read, InputError where it is not installed.
    """
    library, fault = load_exiv2(), None
    try:
        image = library.ImageFactory.open(_openable(photo))
    except library.Exiv2Error as error:
        raise KeywordError(_reason(error, photo)) from None
    try:
        image.readMetadata()
    except library.Exiv2Error as error:
        fault = error
    text = image.xmpPacket() or _scan(photo)
    xmp = packet.read(text) if text else Metadata()
    exif, iptc = image.exifData(), image.iptcData()
    keywords = dict(xmp.keywords)
    words = _iptc_keywords(iptc)
    if words and (FLAT not in keywords or (keywords[FLAT] != words and _iptc_is_newer(photo, exif))):
        keywords.pop(FLAT, None)
        keywords[IPTC] = words
    if words := _windows_keywords(exif):
        keywords[WINDOWS] = words
    if fault and not keywords:
        raise KeywordError(_reason(fault, photo))
    time = _time(exif)
    return Metadata(
        keywords,
        xmp.artist or _artist(exif, iptc),
        xmp.time if time is None else time,
        position(_angle(exif, LATITUDE), _angle(exif, LONGITUDE), _field(exif, STATUS)) or xmp.position,
    )


def load_exiv2() -> ModuleType:
    """Imports exiv2, with its own warnings off. Raises InputError where it is not installed."""
    try:
        import exiv2
    except ModuleNotFoundError:
        message = "Keywords need the package exiv2, which is not installed: pip install exiv2."
        raise InputError(message) from None
    exiv2.LogMsg.setLevel(exiv2.LogMsg.Level.mute)
    return exiv2


def _openable(photo: Path | bytes) -> str | bytes:
    """Returns the photo's path, or its bytes where the path is not UTF-8: exiv2 takes no other."""
    if isinstance(photo, bytes):
        return photo
    try:
        return str(photo).encode().decode()
    except UnicodeEncodeError:
        return photo.read_bytes()


def _reason(error: Exception, photo: Path | bytes) -> str:
    message = str(error.args[-1]) if isinstance(photo, bytes) else str(error.args[-1]).removeprefix(f"{photo}: ")
    return f"cannot be read by exiv2 ({message})"


def _bytes(data: Any, field: str) -> bytes:
    """Returns the bytes of a field of exiv2's data; empty where it is absent, or holds numbers."""
    value = data[field].value() if field in data else None
    return bytes(value.data()) if hasattr(value, "data") else b""


def _text(value: bytes, declared: bytes = b"") -> str:
    """Decodes a text whose encoding many programs do not declare, or declare wrongly."""
    for encoding in ("latin-1",) if declared in LATIN_1 else ("utf-8", "cp1252"):
        try:
            return value.decode(encoding)
        except UnicodeDecodeError:
            continue
    return value.decode("latin-1")


def _field(data: Any, field: str) -> str:
    """Returns a field's text, without the blanks that cameras fill it with."""
    return _text(_bytes(data, field)).strip("\0 ")


def _iptc_keywords(iptc: Any) -> list[str]:
    declared = _bytes(iptc, CHARACTER_SET)
    words = (_text(bytes(item.value().data()), declared) for item in iptc if item.key() == IPTC)
    return [*filter(None, words)]


def _windows_keywords(exif: Any) -> list[str]:
    text = _bytes(exif, WINDOWS).decode("utf-16-le", "ignore")
    return [*filter(None, text.rstrip("\0").split(";"))]


def _artist(exif: Any, iptc: Any) -> str | None:
    artists = (_field(iptc if field.startswith("Iptc") else exif, field) for field in ARTISTS)
    return next(filter(None, artists), None)


def _time(exif: Any) -> int | None:
    times = (milliseconds(_field(exif, time) + _field(exif, zone)) for time, zone in TIMES)
    return next((time for time in times if time is not None), None)


def _angle(exif: Any, field: str) -> Angle:
    """Returns the angle in a field of three rational numbers."""
    parts = [*exif[field].value()] if field in exif and exif[field].typeName() in RATIONAL else []
    if len(parts) != len(UNITS) or not all(denominator for _, denominator in parts):
        return Angle()
    return Angle([numerator / denominator for numerator, denominator in parts], _field(exif, f"{field}Ref"))


def _iptc_is_newer(photo: Path | bytes, exif: Any) -> bool:
    """Compares the IPTC in a file with its digest, which programs note when they write XMP."""
    resources = _bytes(exif, RESOURCES)
    if not resources:
        data = photo if isinstance(photo, bytes) else photo.read_bytes()
        resources = _resources_of_jpeg(data) if data.startswith(b"\xff\xd8") else b""
    found = _split_resources(resources)
    return {0x404, 0x425} <= found.keys() and hashlib.md5(found[0x404]).digest() != found[0x425]


def _resources_of_jpeg(jpeg: bytes) -> bytes:
    head, parts = b"Photoshop 3.0\0", []
    try:
        for marker, content, _, _ in segments(jpeg):
            if marker == 0xED and content.startswith(head):
                parts.append(content.removeprefix(head))
    except ValueError:  # Cut short: what stands before counts.
        pass
    return b"".join(parts)


def _split_resources(block: bytes) -> dict[int, bytes]:
    """Splits Photoshop's resources: "8BIM", number, name (padded to an even length), length, content (padded)."""
    found, place = {}, 0
    while block[place : place + 4] == b"8BIM" and place + 12 <= len(block):
        number = int.from_bytes(block[place + 4 : place + 6], "big")
        start = place + 6 + (block[place + 6] + 2) // 2 * 2
        end = start + 4 + int.from_bytes(block[start : start + 4], "big")
        found[number] = block[start + 4 : end]
        place = end + end % 2
    return found


def _scan(photo: Path | bytes) -> str:
    """Finds a packet by its first and last tag, as XMP's specification allows; empty where there is none.

    For formats in which it lies in one piece, and exiv2 looks for it in vain: in GIF always, in HEIC at times.
    """
    with io.BytesIO(photo) if isinstance(photo, bytes) else photo.open("rb") as file:
        head = file.read(12)
        if head.startswith(b"GIF8") or (b"ftyp" in head and DECLARATION in file.read(DECLARED_WITHIN)):
            file.seek(0)
            data = file.read()
            start = data.find(PACKET[0])
            end = data.find(PACKET[1], start)
            return packet.decode(data[start : end + len(PACKET[1])]) if 0 <= start < end else ""
    return ""
