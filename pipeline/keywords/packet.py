"""The fields of an XMP packet, read as XML from strangers: nothing is expanded, fetched or corrected."""

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from pipeline.keywords.coordinates import Angle, position
from pipeline.keywords.metadata import (
    FLAT,
    MICROSOFT,
    PIPED,
    SLASHED,
    TREE,
    KeywordError,
    Keywords,
    Metadata,
    milliseconds,
)

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC = "{http://purl.org/dc/elements/1.1/}"
MWG = "{http://www.metadataworkinggroup.com/schemas/keywords/}"
CONTAINERS = (RDF + "Bag", RDF + "Seq", RDF + "Alt")

LISTS = {
    FLAT: DC + "subject",
    PIPED: "{http://ns.adobe.com/lightroom/1.0/}hierarchicalSubject",
    SLASHED: "{http://www.digikam.org/ns/1.0/}TagsList",
    MICROSOFT: "{http://ns.microsoft.com/photo/1.0/}LastKeywordXMP",
}
"""The names in XML of the fields that are lists."""
TIMES = (
    "{http://ns.adobe.com/exif/1.0/}DateTimeOriginal",
    "{http://ns.adobe.com/photoshop/1.0/}DateCreated",
    "{http://ns.adobe.com/xap/1.0/}CreateDate",
)
"""The fields with the time of a photo, in order of precedence."""
LATITUDE, LONGITUDE, STATUS = (
    f"{{http://ns.adobe.com/exif/1.0/}}GPS{name}" for name in ("Latitude", "Longitude", "Status")
)
"""The fields with the position of a photo, and the receiver's status; some programs write GPSLatitudeRef as well."""

WRAPPER = re.compile(r"<\?xpacket[^>]*\?>")
"""The instruction before and after a packet, which is not part of it, and may be damaged."""
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode(data: bytes) -> str:
    """Returns the text of a packet or another sidecar. Raises KeywordError when it has another encoding."""
    try:
        return data.decode("utf-16" if data.startswith(UTF_16) else "utf-8-sig")
    except UnicodeDecodeError:
        raise KeywordError("is neither UTF-8 nor UTF-16") from None


def read(packet: bytes | str) -> Metadata:
    """Reads a packet. Raises KeywordError for one that is not XMP, not well-formed, or of another encoding."""
    text = packet if isinstance(packet, str) else decode(packet)
    if not text.strip("\0 \t\r\n"):
        raise KeywordError("is empty")
    if "<!DOCTYPE" in text:  # XMP has none, and it may define entities that grow without bound.
        raise KeywordError("is not XMP")
    try:
        root = ElementTree.fromstring(WRAPPER.sub("", text).strip("\0\ufeff \t\r\n"))
        rdf = next(root.iter(RDF + "RDF"))
        return _Properties.of(rdf).metadata()
    except (ElementTree.ParseError, StopIteration, ValueError, RecursionError):
        raise KeywordError("is not XMP") from None


@dataclass(frozen=True)
class _Properties:
    """The properties of the thing that a packet is about."""

    values: Mapping[str, Element | str] = field(default_factory=dict)
    """Elements, or the texts of attributes, by name."""
    nodes: Mapping[str, Element] = field(default_factory=dict)
    """The nodes that properties refer to, by id."""

    @classmethod
    def of(cls, rdf: Element) -> "_Properties":
        nodes = {node.attrib[RDF + "nodeID"]: node for node in rdf if RDF + "nodeID" in node.attrib}
        values: dict[str, Element | str] = {}
        for node in rdf:
            if node not in nodes.values():
                values |= node.attrib | {child.tag: child for child in node}
        return cls(values, nodes)

    def metadata(self) -> Metadata:
        keywords = {name: [*filter(None, self._items(tag))] for name, tag in LISTS.items()}
        keywords[TREE] = ["|".join(path) for path in self._paths(self.values.get(MWG + "Keywords"))]
        found: Keywords = {name: words for name, words in keywords.items() if words}
        artists = (artist.strip() for artist in self._items(DC + "creator"))
        times = (milliseconds(text) for tag in TIMES for text in self._items(tag))
        known_times = (time for time in times if time is not None)
        found_position = position(self._angle(LATITUDE), self._angle(LONGITUDE), next(self._items(STATUS), ""))
        return Metadata(found, next(filter(None, artists), None), next(known_times, None), found_position)

    def _items(self, tag: str) -> Iterator[str]:
        """Yields the texts of a list, or the one text of a property that is none."""
        value = self.values.get(tag, "")
        if isinstance(value, str):
            yield value
            return
        value = self.nodes.get(value.get(RDF + "nodeID", ""), value)
        container = value if value.tag in CONTAINERS else next((each for each in value if each.tag in CONTAINERS), None)
        for item in [value] if container is None else container:
            # A text with qualifiers is a structure, in which it is called value.
            yield item.get(RDF + "value") or next(item.iter(RDF + "value"), item).text or ""

    def _angle(self, tag: str) -> Angle:
        if tag not in self.values:
            return Angle()
        return Angle.of_text(next(self._items(tag), ""), next(self._items(f"{tag}Ref"), ""))

    def _paths(self, tree: Element | str | None) -> Iterator[list[str]]:
        """Yields the paths from the roots of a tree of keywords to its leaves."""
        if not isinstance(tree, Element):
            return
        for node in tree.iterfind(f".//{MWG}Hierarchy/{RDF}Bag/{RDF}li"):
            yield from _paths_below(node)


def _paths_below(node: Element) -> Iterator[list[str]]:
    """Yields the paths to the leaves; a node may stand in a Description of its own."""
    node = next(node.iterfind(f"{RDF}Description"), node)
    keyword = node.findtext(MWG + "Keyword") or node.get(MWG + "Keyword") or ""
    children = node.findall(f"{MWG}Children/{RDF}Bag/{RDF}li")
    for child in children:
        for path in _paths_below(child):
            yield [keyword, *path]
    if not children and keyword:
        yield [keyword]
