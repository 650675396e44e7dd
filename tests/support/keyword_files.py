"""Photos and sidecars with keywords in any field, as other programs write them."""

from collections.abc import Sequence
from pathlib import Path

import exiv2
from PIL import Image

from pipeline.keywords.metadata import FLAT, IPTC, MICROSOFT, PIPED, SLASHED, WINDOWS

BAGS = {
    FLAT: exiv2.TypeId.xmpBag,
    PIPED: exiv2.TypeId.xmpBag,
    SLASHED: exiv2.TypeId.xmpSeq,
    MICROSOFT: exiv2.TypeId.xmpBag,
}


def write_photo(path: Path, keywords: dict[str, Sequence[str]] | None = None, **fields: str | exiv2.Value) -> Path:
    """Writes a picture in the format of its suffix, with keywords by field, and fields of EXIF: Image.Artist="Ann"."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 40), "teal").save(path)
    image = exiv2.ImageFactory.open(str(path))
    image.readMetadata()
    exif, iptc, xmp = image.exifData(), image.iptcData(), image.xmpData()
    for field, words in (keywords or {}).items():
        if field == IPTC:
            for word in words:
                iptc.add(exiv2.IptcKey(IPTC), exiv2.StringValue(word))
        elif field == WINDOWS:
            text = ";".join(words).encode("utf-16-le") + bytes(2)
            exif[WINDOWS] = exiv2.DataValue(text, exiv2.ByteOrder.littleEndian, exiv2.TypeId.unsignedByte)
        else:
            xmp[field] = exiv2.XmpArrayValue(list(words), BAGS[field])
    for field, value in fields.items():
        exif[f"Exif.{field.replace('_', '.')}"] = value
    image.writeMetadata()
    return path


def packet(fields: str) -> bytes:
    """Makes a packet with some fields in RDF."""
    return f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:my="http://example.org/my/"
 xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:digiKam="http://www.digikam.org/ns/1.0/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:mwg-kw="http://www.metadataworkinggroup.com/schemas/keywords/">
{fields}</rdf:Description></rdf:RDF></x:xmpmeta>""".encode()


def subject(*words: str) -> bytes:
    """Makes a packet with words in dc:subject."""
    items = "".join(f"<rdf:li>{word}</rdf:li>" for word in words)
    return packet(f"<dc:subject><rdf:Bag>{items}</rdf:Bag></dc:subject>")
