"""Keywords in XMP, in the three fields that photo managers read; all other fields keep their values.

Readers take the first field that is there, and not the union of all: so all three are written, and one that was absent
begins with the keywords of another. The XML itself is read and written by exiv2, which a bundle's environment may lack.
"""

import codecs
import unicodedata
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from pipeline.errors import InputError

SLASHED = "Xmp.digiKam.TagsList"
"""The field of digiKam: a sequence, where a slash leads from a keyword to one below it."""
PIPED = "Xmp.lr.hierarchicalSubject"
"""The field of Lightroom: a bag, where a vertical bar leads from a keyword to one below it."""
FLAT = "Xmp.dc.subject"
"""The field of Dublin Core: a bag of keywords without levels."""
FIELDS = (SLASHED, PIPED, FLAT)
"""The fields, in the order in which they are asked for the keywords of one that is absent."""
IPTC = "Iptc.Application2.Keywords"
"""The older field of photos, which readers leave unread once XMP has keywords."""

LEVELS = {SLASHED: "/", PIPED: "|"}
"""The signs between the levels of a keyword."""
UNWRITABLE = ("Cc", "Cs", "Cn", "Zl", "Zp")
"""Unicode's categories of characters that XML, or a list with a keyword a line, cannot hold."""

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

Keywords = Mapping[str, Sequence[str]]
"""The keywords of a file, by field."""


class KeywordError(Exception):
    """A file that keywords cannot be added to.

    reason: the words that follow the file's name, such as "is not XMP".
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def is_keyword(tag: str) -> bool:
    """Recognises a tag that can be written: not blank, and free of line breaks and control characters."""
    return bool(tag.strip()) and not any(unicodedata.category(character) in UNWRITABLE for character in tag)


def sidecar(tags: Sequence[str]) -> bytes:
    """Returns a new sidecar with tags as keywords; those that are none (`is_keyword`) are left out.

    Raises InputError where exiv2 is not installed.
    """
    return add(None, [tag for tag in tags if is_keyword(tag)])


def add(packet: bytes | None, tags: Sequence[str], photo: bytes = b"") -> bytes:
    """Returns an XMP packet with tags added to each field that lacks them; the same object when none does.

    packet: the packet so far, None for a new one.
    photo: the image file, whose own keywords come first when the packet has none and would hide them.

    Every tag must be a keyword (`is_keyword`). Raises KeywordError for a packet that exiv2 cannot read or would change,
    InputError where exiv2 is not installed.
    """
    library = load_exiv2()
    data = library.XmpData() if packet is None else _decode(packet)
    present, others = _keywords(data), _foreign(data)
    known = present if any(present.values()) else read_photo(photo)
    wanted = {field: _with(_field(field, known), [_levelled(tag, field) for tag in tags]) for field in FIELDS}
    if packet is not None and wanted == present:
        return packet
    kinds = {SLASHED: library.TypeId.xmpSeq, PIPED: library.TypeId.xmpBag, FLAT: library.TypeId.xmpBag}
    for field in FIELDS:
        data[field] = library.XmpArrayValue(wanted[field], kinds[field])
    written = _encode(data)
    if _foreign(_decode(written)) != others:
        raise KeywordError("has fields that would change")
    return written


def read(packet: bytes) -> Keywords:
    """Returns the keywords of an XMP packet. Raises KeywordError for one that exiv2 cannot read."""
    return _keywords(_decode(packet))


def read_photo(photo: bytes) -> Keywords:
    """Returns the keywords in an image file, as far as exiv2 can read it."""
    library = load_exiv2()
    if not photo:
        return {}
    try:
        image = library.ImageFactory.open(photo)
        image.readMetadata()
        iptc = [_text(bytes(item.value().data())) for item in image.iptcData() if item.key() == IPTC]
        return {**_keywords(image.xmpData()), IPTC: iptc}
    except library.Exiv2Error:
        return {}


def load_exiv2() -> ModuleType:
    """Imports exiv2, with its own warnings off. Raises InputError where it is not installed."""
    try:
        import exiv2
    except ModuleNotFoundError:
        message = "Keywords need the package exiv2, which is not installed: pip install exiv2."
        raise InputError(message) from None
    exiv2.LogMsg.setLevel(exiv2.LogMsg.Level.mute)
    return exiv2


def _field(field: str, known: Keywords) -> list[str]:
    """Returns a field's keywords: its own, or else those of the first field that has some, in its form."""
    source = next((other for other in (field, *FIELDS, IPTC) if known.get(other)), field)
    keywords = [*known.get(source, ())]
    if source == field or source not in LEVELS:
        return keywords
    if field == FLAT:  # The last level alone, as the programs that write several fields do.
        return [keyword.rpartition(LEVELS[source])[2] for keyword in keywords]
    return [keyword.replace(LEVELS[source], LEVELS[field]) for keyword in keywords]


def _levelled(tag: str, field: str) -> str:
    """Returns a tag as a field writes it: both signs between levels stand for the field's own."""
    for sign in LEVELS.values() if field in LEVELS else ():
        tag = tag.replace(sign, LEVELS[field])
    return tag


def _with(keywords: Sequence[str], more: Sequence[str]) -> list[str]:
    return [*keywords, *(keyword for keyword in dict.fromkeys(more) if keyword not in keywords)]


def _decode(packet: bytes) -> Any:
    """Returns exiv2's data of an XMP packet."""
    library = load_exiv2()
    image = library.ImageFactory.create(library.ImageType.xmp)
    try:
        # As a packet, and not as a file: exiv2 converts fields between Exif and XMP when it opens a sidecar.
        image.setXmpPacket(packet.decode("utf-16" if packet.startswith(UTF_16) else "utf-8-sig"))
    except (library.Exiv2Error, UnicodeDecodeError):
        raise KeywordError("is not XMP") from None
    return image.xmpData()


def _encode(data: Any) -> bytes:
    """Returns the XMP packet of exiv2's data."""
    failed, packet = load_exiv2().XmpParser.encode(data)
    if failed:
        raise KeywordError("has fields that exiv2 cannot write")
    return packet.encode("utf-8")


def _keywords(data: Any) -> dict[str, list[str]]:
    """Returns the keywords in each field of exiv2's data, without empty ones."""
    library = load_exiv2()
    found = {field: [] for field in FIELDS}
    for item in data:
        if item.key() in found:
            value = item.value()
            items = list(value) if isinstance(value, library.XmpArrayValue) else [value.toString()]
            found[item.key()] = [keyword for keyword in items if keyword]
    return found


def _foreign(data: Any) -> list[tuple[str, str, str]]:
    """Returns key, type and value of all other fields, without empty ones."""
    items = ((item.key(), item.typeName(), item.toString()) for item in data)
    return sorted((key, kind, value) for key, kind, value in items if key not in FIELDS and value)


def _text(keyword: bytes) -> str:
    """Decodes an IPTC keyword, whose encoding many programs do not declare."""
    try:
        return keyword.decode("utf-8")
    except UnicodeDecodeError:
        return keyword.decode("latin-1")
