"""XMP packets of strangers: each legal form is read, and what is not XMP is a reason, never a guess."""

import pytest

from pipeline.keywords.metadata import FLAT, PIPED, TREE, KeywordError
from pipeline.keywords.packet import read
from tests.support.keyword_files import packet, subject


def test_artist_and_time_are_read():
    fields = "<dc:creator><rdf:Seq><rdf:li> Ann </rdf:li></rdf:Seq></dc:creator>"
    found = read(packet(f"{fields}<exif:DateTimeOriginal>1970-01-01T01:00:01+01:00</exif:DateTimeOriginal>"))
    assert (found.artist, found.time) == ("Ann", 1000)


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        ("51,3.5N", "13,45,0E", (51 + 3.5 / 60, 13.75)),
        ("33.5", "70.25", (-33.5, -70.25)),
        ("", "13,45,0E", None),
        ("north", "13,45,0E", None),
        ("<rdf:Seq/>", "13,45,0E", None),
        ("91,0N", "13,45,0E", None),
        ("0,0N", "0,0E", None),
    ],
)
def test_the_position_is_read(latitude, longitude, expected):
    """The hemisphere is in the text, or in a field of its own, as some programs write it."""
    halves = "<exif:GPSLatitudeRef>S</exif:GPSLatitudeRef><exif:GPSLongitudeRef>W</exif:GPSLongitudeRef>"
    fields = f"<exif:GPSLatitude>{latitude}</exif:GPSLatitude><exif:GPSLongitude>{longitude}</exif:GPSLongitude>"
    assert read(packet(fields + halves)).position == (expected and pytest.approx(expected))
    if "N" in latitude:
        assert read(packet(fields)).position == (expected and pytest.approx(expected))


@pytest.mark.parametrize(("status", "known"), [("A", True), ("", True), ("V", False)])
def test_a_void_position_is_none(status, known):
    fields = "<exif:GPSLatitude>51,3N</exif:GPSLatitude><exif:GPSLongitude>13,45E</exif:GPSLongitude>"
    found = read(packet(f"{fields}<exif:GPSStatus>{status}</exif:GPSStatus>")).position
    assert found == ((51.05, 13.75) if known else None)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("<dc:subject>one text</dc:subject>", ["one text"]),
        ("<dc:subject><rdf:Seq><rdf:li>a</rdf:li><rdf:li/><rdf:li>b</rdf:li></rdf:Seq></dc:subject>", ["a", "b"]),
        (
            '<dc:subject><rdf:Bag><rdf:li rdf:parseType="Resource"><rdf:value>a</rdf:value><my:x>1</my:x></rdf:li>'
            "</rdf:Bag></dc:subject>",
            ["a"],
        ),
    ],
)
def test_a_field_may_be_a_text_a_list_or_a_list_of_texts_with_qualifiers(fields, words):
    assert read(packet(fields)).keywords == {FLAT: words}


def test_a_field_may_be_an_attribute():
    assert read(packet("").replace(b'rdf:about=""', b'rdf:about="" dc:subject="sea"')).keywords == {FLAT: ["sea"]}


def test_a_field_may_refer_to_a_node_elsewhere():
    """F-Spot writes so."""
    node = b'<rdf:Bag rdf:nodeID="n"><rdf:li>sea</rdf:li></rdf:Bag><rdf:Description rdf:about'
    found = read(packet('<dc:subject rdf:nodeID="n"/>').replace(b"<rdf:Description rdf:about", node))
    assert found.keywords == {FLAT: ["sea"]}


def test_a_tree_of_keywords_is_its_paths():
    leaf = '<rdf:li rdf:parseType="Resource"><mwg-kw:Keyword>{}</mwg-kw:Keyword>{}</rdf:li>'
    children = f"<mwg-kw:Children><rdf:Bag>{leaf.format('b', '')}{leaf.format('c', '')}</rdf:Bag></mwg-kw:Children>"
    tree = f"<mwg-kw:Hierarchy><rdf:Bag>{leaf.format('a', children)}{leaf.format('d', '')}</rdf:Bag></mwg-kw:Hierarchy>"
    found = read(packet(f'<mwg-kw:Keywords rdf:parseType="Resource">{tree}</mwg-kw:Keywords>'))
    assert found.keywords == {TREE: ["a|b", "a|c", "d"]}


def test_a_damaged_wrapper_is_no_part_of_the_packet():
    whole = b'<?xpacket begin="\x1a" id="W5M0"?>' + subject("sea") + b'  \n<?xpacket end="w"?>\0\0'
    assert read(whole).keywords == {FLAT: ["sea"]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_utf_8_and_utf_16_are_read(encoding):
    assert read(subject("Lösung").decode().encode(encoding)).keywords == {FLAT: ["Lösung"]}


def test_ampersands_are_unescaped_once():
    assert read(subject("&amp;amp;")).keywords == {FLAT: ["&amp;"]}


def test_empty_items_are_no_keywords():
    text = "<lr:hierarchicalSubject><rdf:Bag><rdf:li></rdf:li></rdf:Bag></lr:hierarchicalSubject><dc:subject/>"
    assert PIPED not in read(packet(text)).keywords
    assert read(packet(text)).keywords == {}


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"<html></html>",
        subject("a").replace(b"<rdf:Bag>", b""),
        subject("a")[:-20],
        BOMB.encode() + subject("&b;"),
        (BOMB + subject("&b;").decode()).encode("utf-16"),
        packet("<a>" * 20_000),
    ],
    ids=["text", "HTML", "no bag", "cut short", "bomb", "bomb in UTF-16", "never closed"],
)
def test_what_is_not_xmp_is_a_reason(data):
    with pytest.raises(KeywordError, match="is not XMP"):
        read(data)


@pytest.mark.parametrize("data", [b"", b" \n", bytes(100)])
def test_an_empty_file_is_a_reason(data):
    with pytest.raises(KeywordError, match="is empty"):
        read(data)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", subject("Käfer").decode().encode("latin-1")])
def test_another_encoding_is_a_reason(data):
    with pytest.raises(KeywordError, match="neither UTF-8 nor UTF-16"):
        read(data)


def test_depth_is_no_fault_of_this_program():
    nested = '<rdf:li rdf:parseType="Resource"><mwg-kw:Children><rdf:Bag>' * 5000
    closed = "</rdf:Bag></mwg-kw:Children></rdf:li>" * 5000
    tree = (
        f"<mwg-kw:Keywords><mwg-kw:Hierarchy><rdf:Bag>{nested}{closed}</rdf:Bag></mwg-kw:Hierarchy></mwg-kw:Keywords>"
    )
    with pytest.raises(KeywordError):
        read(packet(tree))
