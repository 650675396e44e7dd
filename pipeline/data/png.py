"""The chunks of a PNG file (ISO/IEC 15948), and those among them that are not needed to see the picture."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PROFILE = b"iCCP"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
LARGEST_TEXT = 64 * 1024
"""Bytes of a text that is kept, at most: EXIF data can be one, and its orientation is needed."""


def strip_large_chunks(png: bytes) -> bytes:
    """Drops colour profiles and long texts from a PNG: Pillow refuses a file for their size, once decompressed.

    What is not a chunk is kept as it is, for the decoder to judge.
    """
    kept, place = [png[: len(SIGNATURE)]], len(SIGNATURE)
    while place < len(png):
        length, kind = int.from_bytes(png[place : place + 4], "big"), png[place + 4 : place + 8]
        end = place + 12 + length  # With the length, the kind and the checksum.
        if kind != PROFILE and (kind not in TEXTS or length <= LARGEST_TEXT):
            kept.append(png[place:end])
        place = end
    return b"".join(kept)
