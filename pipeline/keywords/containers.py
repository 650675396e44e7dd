"""The XMP packet in image files: found, and replaced with every other byte as it was.

exiv2 rewrites whole files and corrects other fields on the way (an IPTC time without a zone), so it is not used here.
"""

import re
import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator

from pipeline.data.jpeg import APPLICATION, segments
from pipeline.keywords.metadata import KeywordError


class Container(ABC):
    """A file format that holds an XMP packet. All methods raise KeywordError for a file of another structure."""

    SIGNATURE: re.Pattern[bytes]
    """The first bytes of a file."""

    def find(self, photo: bytes) -> bytes | None:
        """Returns the packet in a file, None where there is none."""
        start, end = self._locate(photo)
        try:
            return self._unwrap(photo[start:end]) if end > start else None
        except (ValueError, zlib.error):
            raise KeywordError("holds XMP that is damaged") from None

    def put(self, photo: bytes, packet: bytes) -> bytes:
        """Returns the file with another packet. Raises KeywordError where it does not fit."""
        start, end = self._locate(photo)
        return photo[:start] + self._wrap(packet) + photo[end:]

    @abstractmethod
    def _locate(self, photo: bytes) -> tuple[int, int]:
        """Returns start and end of the part with the packet, both the place for it where there is none."""

    @abstractmethod
    def _wrap(self, packet: bytes) -> bytes:
        """Returns the part that holds a packet."""

    @abstractmethod
    def _unwrap(self, part: bytes) -> bytes:
        """Returns the packet that a part holds."""


class Jpeg(Container):
    """JPEG: the packet is an application segment, after JFIF and Exif."""

    SIGNATURE = re.compile(rb"\xff\xd8\xff")
    HEAD = b"http://ns.adobe.com/xap/1.0/\0"
    LARGEST = 0xFFFF - 2 - len(HEAD)
    """Bytes of a packet, at most."""
    PICTURES = b"MPF\0"
    """The head of a list of more pictures in the file, whose places are counted from here."""

    def _locate(self, photo: bytes) -> tuple[int, int]:
        place, leading, pictures = 2, True, False
        try:
            for marker, content, start, end in segments(photo):
                if content.startswith(self.HEAD):
                    if pictures:
                        raise KeywordError("holds more pictures, whose places would change: only a sidecar is safe")
                    return start, end
                pictures |= content.startswith(self.PICTURES)
                leading &= marker in APPLICATION[:2]  # JFIF, Exif
                place = end if leading else place
        except ValueError:
            raise KeywordError("is not a regular JPEG file: only a sidecar is safe") from None
        return place, place

    def _wrap(self, packet: bytes) -> bytes:
        if len(packet) > self.LARGEST:
            raise KeywordError("would have more XMP than a JPEG file can hold: only a sidecar can")
        return b"\xff\xe1" + struct.pack(">H", 2 + len(self.HEAD) + len(packet)) + self.HEAD + packet

    def _unwrap(self, part: bytes) -> bytes:
        return part.partition(self.HEAD)[2]


class Png(Container):
    """PNG: the packet is a chunk of text, after the header."""

    SIGNATURE = re.compile(rb"\x89PNG\r\n\x1a\n")
    HEAD = b"XML:com.adobe.xmp\0"
    LARGEST = 16 * 1024**2
    """Bytes of a compressed packet that are read, at most."""

    def _locate(self, photo: bytes) -> tuple[int, int]:
        place = 0
        for kind, start, end in self._chunks(photo):
            place = place or end
            if kind == b"iTXt" and photo.startswith(self.HEAD, start + 8):
                return start, end
        return place, place

    def _wrap(self, packet: bytes) -> bytes:
        content = b"iTXt" + self.HEAD + bytes(4) + packet  # Not compressed, of no language.
        return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))

    def _unwrap(self, part: bytes) -> bytes:
        compressed, _, *rest = part[8 + len(self.HEAD) : -4]
        _language, _translated, text = bytes(rest).split(b"\0", 2)
        if not compressed:
            return text
        inflating = zlib.decompressobj()
        packet = inflating.decompress(text, self.LARGEST)
        if not inflating.eof:
            raise ValueError("cut short, or larger than any packet")
        return packet

    def _chunks(self, photo: bytes) -> Iterator[tuple[bytes, int, int]]:
        """Yields kind, start and end of each chunk."""
        kind, end = b"", 8
        while kind != b"IEND":
            start, kind = end, photo[end + 4 : end + 8]
            end += 12 + int.from_bytes(photo[start : start + 4], "big")
            if len(kind) < 4 or end > len(photo):
                raise KeywordError("is not a regular PNG file: only a sidecar is safe")
            yield kind, start, end


class Webp(Container):
    """WebP: the packet is a chunk, and a flag in the header of the extended form announces it."""

    SIGNATURE = re.compile(rb"RIFF....WEBP", re.DOTALL)
    HAS_XMP, HAS_ALPHA = 0x04, 0x10
    """Flags of the header."""

    def put(self, photo: bytes, packet: bytes) -> bytes:
        start, end = self._locate(photo)
        chunks = photo[12:start] + self._wrap(packet) + photo[end : _riff_end(photo)]
        if not chunks.startswith(b"VP8X"):
            chunks = b"VP8X" + struct.pack("<I", 10) + self._header(chunks) + chunks
        chunks = chunks[:8] + bytes([chunks[8] | self.HAS_XMP]) + chunks[9:]
        return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks + photo[_riff_end(photo) :]

    def _locate(self, photo: bytes) -> tuple[int, int]:
        end, last = 12, _riff_end(photo)
        while end < last:
            start, length = end, int.from_bytes(photo[end + 4 : end + 8], "little")
            end += 8 + length + length % 2
            if photo.startswith(b"XMP ", start):
                return start, end
        if end != last or end > len(photo):
            raise KeywordError("is not a regular WebP file: only a sidecar is safe")
        return end, end

    def _wrap(self, packet: bytes) -> bytes:
        return b"XMP " + struct.pack("<I", len(packet)) + packet + bytes(len(packet) % 2)

    def _unwrap(self, part: bytes) -> bytes:
        return part[8 : 8 + int.from_bytes(part[4:8], "little")]

    def _header(self, chunks: bytes) -> bytes:
        """Makes the header of the extended form for a picture in the simple one, lossy or lossless."""
        if chunks.startswith(b"VP8L"):
            bits = int.from_bytes(chunks[9:13], "little")
            width, height, alpha = bits & 0x3FFF, bits >> 14 & 0x3FFF, bits >> 28 & 1
        else:
            width, height = (size % 0x4000 - 1 for size in struct.unpack("<HH", chunks[14:18]))
            alpha = 0
        if min(width, height) < 0:
            raise KeywordError("has no size: only a sidecar is safe")
        return struct.pack("<I", alpha * self.HAS_ALPHA) + width.to_bytes(3, "little") + height.to_bytes(3, "little")


def _riff_end(photo: bytes) -> int:
    return 8 + int.from_bytes(photo[4:8], "little")


CONTAINERS = {"JPEG": Jpeg(), "PNG": Png(), "WebP": Webp()}
"""The formats in which keywords can be put."""


def container_of(photo: bytes) -> Container:
    """Returns the format of an image file. Raises KeywordError for one that is not in `CONTAINERS`."""
    for container in CONTAINERS.values():
        if container.SIGNATURE.match(photo):
            return container
    raise KeywordError(f"is not a {', '.join(CONTAINERS)} file: only a sidecar can hold its keywords")
