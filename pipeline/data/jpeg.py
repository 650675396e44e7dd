"""The segments of a JPEG file (ITU T.81, annex B), and the metadata among them."""

import re
from collections.abc import Iterator

MARKER = re.compile(rb"\xff+([^\x00\xff])")
"""A marker in compressed data, where \\xff\\x00 stands for the byte \\xff."""
SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
RESTARTS = range(0xD0, 0xD8)
COMMENT = 0xFE
APPLICATION = range(0xE0, 0xF0)
DECODING = ((0xE0, b"JFIF\0"), (0xE2, b"ICC_PROFILE\0"), (0xEE, b"Adobe"))
"""The application segments that define how colours are read: marker, and first bytes of the content."""


def strip_metadata(jpeg: bytes) -> bytes:
    """Drops everything but the picture from a JPEG: EXIF, GPS, XMP, IPTC, comments, thumbnails, bytes after its end.

    The picture itself keeps its bytes. Raises ValueError when the file does not have the structure of a JPEG.
    """
    if jpeg[:2] != b"\xff\xd8":
        raise ValueError("not a JPEG")
    kept, place = [jpeg[:2]], 2
    while True:
        found = MARKER.match(jpeg, place)
        if found is None:
            raise ValueError(f"no marker at byte {place}")
        marker = found[1][0]
        if marker == EOI:
            return b"".join([*kept, b"\xff\xd9"])
        start = found.end()
        length = int.from_bytes(jpeg[start : start + 2], "big")
        end = start + length
        if length < 2 or end > len(jpeg):
            raise ValueError(f"a segment at byte {place} is cut short")
        if _is_needed(marker, jpeg[start + 2 : end]):
            kept.append(jpeg[place:end])
        place = end
        if marker == SOS:  # Compressed data follow, up to a marker other than those that restart the decoder.
            place = _end_of_scan(jpeg, end)
            kept.append(jpeg[end:place])


def segments(jpeg: bytes) -> Iterator[tuple[int, bytes, int, int]]:
    """Yields marker, content, start and end of each segment before the picture.

    Raises ValueError, after those before, where the file does not have the structure of a JPEG.
    """
    end = 2
    while found := MARKER.match(jpeg, end):
        if found[1][0] == SOS:
            return
        start, length = end, int.from_bytes(jpeg[found.end() : found.end() + 2], "big")
        end = found.end() + length
        if length < 2 or end > len(jpeg):
            break
        yield found[1][0], jpeg[found.end() + 2 : end], start, end
    raise ValueError(f"no segment at byte {end}")


def _is_needed(marker: int, content: bytes) -> bool:
    if marker in APPLICATION:
        return any(marker == needed and content.startswith(head) for needed, head in DECODING)
    return marker != COMMENT


def _end_of_scan(jpeg: bytes, start: int) -> int:
    for found in MARKER.finditer(jpeg, start):
        if found[1][0] not in RESTARTS:
            return found.start()
    raise ValueError("no end")
