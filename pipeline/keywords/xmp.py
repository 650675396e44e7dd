"""Keywords in XMP, in the three fields that photo managers read; all other fields keep their values.

Readers take the first field that is there, and not the union of all: so all three are written, and one that was absent
begins with the keywords of another. The XML itself is read and written by exiv2, which a bundle's environment may lack.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from pipeline.data.names import NONCHARACTERS, fold_case, normalise
from pipeline.keywords.embedded import load_exiv2, read_photo
from pipeline.keywords.metadata import FLAT, LEVELS, PIPED, SLASHED, KeywordError, Keywords
from pipeline.keywords.packet import decode, read

FIELDS = (SLASHED, PIPED, FLAT)
"""The fields that are written; the first with keywords lends them to one that has none."""
UNWRITABLE = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of characters that XML, or a list with a keyword a line, cannot hold."""
NONCHARACTER = re.compile(f"[{NONCHARACTERS}]")
"""Noncharacters, and not those that this Python does not know yet, such as new emoji."""


def is_keyword(tag: str) -> bool:
    """Recognises a tag that can be written: not blank, and free of line breaks and control characters.

    Every name that `normalise` returns can be written, except the empty one.
    """
    if not tag.strip() or NONCHARACTER.search(tag):
        return False
    return not any(unicodedata.category(character) in UNWRITABLE for character in tag)


def sidecar(tags: Sequence[str]) -> bytes:
    """Returns a new sidecar with tags as keywords; those that are none (`is_keyword`) are left out.

    Raises InputError where exiv2 is not installed.
    """
    return add(None, [tag for tag in tags if is_keyword(tag)])


def add(packet: bytes | None, tags: Sequence[str], photo: bytes = b"") -> bytes:
    """Returns an XMP packet with tags added to each field that lacks them; the same object when none does.

    A field has a tag that it holds in any case, and one that is a level of its keywords.

    packet: the packet so far, None for a new one.
    photo: the image file, whose own keywords come first when the packet has none and would hide them.

    Every tag must be a keyword (`is_keyword`). Raises KeywordError for a packet that exiv2 cannot read or would change,
    InputError where exiv2 is not installed.
    """
    library = load_exiv2()
    data = library.XmpData() if packet is None else _decode(packet)
    keywords = {} if packet is None else read(packet).keywords
    present, others = {field: [*keywords.get(field, ())] for field in FIELDS}, _foreign(data)
    known = present if any(present.values()) else _keywords_in(photo)
    wanted = {field: _with(field, _field(field, known), tags) for field in FIELDS}
    if packet is not None and wanted == present:
        return packet
    kinds = {SLASHED: library.TypeId.xmpSeq, PIPED: library.TypeId.xmpBag, FLAT: library.TypeId.xmpBag}
    for field in FIELDS:
        data[field] = library.XmpArrayValue(wanted[field], kinds[field])
    written = _encode(data)
    if _foreign(_decode(written)) != others:
        raise KeywordError("has fields that would change")
    return written


def _keywords_in(photo: bytes) -> Keywords:
    """Returns the keywords in an image file, as far as it can be read."""
    try:
        return read_photo(photo).keywords if photo else {}
    except KeywordError:
        return {}


def _field(field: str, known: Keywords) -> list[str]:
    """Returns a field's keywords: its own, or else those of the first field that has some, in its form."""
    source = next((other for other in (field, *FIELDS, *known) if known.get(other)), field)
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


def _with(field: str, keywords: Sequence[str], tags: Sequence[str]) -> list[str]:
    """Returns a field's keywords, and after them the tags that it lacks."""
    nodes = [node for keyword in keywords for node in keyword.split(LEVELS[field])] if field in LEVELS else []
    known = {_folded(name) for name in (*keywords, *nodes)}
    levelled = dict.fromkeys(_levelled(tag, field) for tag in tags)
    return [*keywords, *(tag for tag in levelled if _folded(tag) not in known)]


def _folded(keyword: str) -> str:
    """Returns a keyword as sources fold it, which hides how its owner writes it."""
    return fold_case(normalise(keyword))


def _decode(packet: bytes) -> Any:
    """Returns exiv2's data of an XMP packet."""
    library = load_exiv2()
    image = library.ImageFactory.create(library.ImageType.xmp)
    try:
        # As a packet, and not as a file: exiv2 converts fields between Exif and XMP when it opens a sidecar.
        image.setXmpPacket(decode(packet))
    except library.Exiv2Error:
        raise KeywordError("is not XMP") from None
    return image.xmpData()


def _encode(data: Any) -> bytes:
    """Returns the XMP packet of exiv2's data."""
    failed, packet = load_exiv2().XmpParser.encode(data)
    if failed:
        raise KeywordError("has fields that exiv2 cannot write")
    return packet.encode("utf-8")


def _foreign(data: Any) -> list[tuple[str, str, str]]:
    """Returns key, type and value of all other fields, without empty ones."""
    items = ((item.key(), item.typeName(), item.toString()) for item in data)
    return sorted((key, kind, value) for key, kind, value in items if key not in FIELDS and value)
