"""Keywords inside photo files: every field and format, and the encodings that are declared, or are not."""

import hashlib
import os
import struct

import exiv2
import pytest
from PIL import Image

from pipeline.keywords.embedded import read_photo
from pipeline.keywords.metadata import FLAT, IPTC, MICROSOFT, PIPED, SLASHED, WINDOWS, KeywordError, milliseconds
from tests.support.keyword_files import subject, write_photo


@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a.png", "a.webp"])
def test_every_field_is_read_from_a_format(tmp_path, name):
    written = {
        PIPED: ["a|b"],
        SLASHED: ["a/c"],
        MICROSOFT: ["a/d"],
        **({} if name.endswith("webp") else {IPTC: ["ä"]}),
        **({} if name.endswith("png") else {WINDOWS: ["f", "g h"]}),
    }
    photo = write_photo(tmp_path / name, written)
    assert read_photo(photo).keywords == written
    assert read_photo(photo.read_bytes()).keywords == written


def test_a_number_in_place_of_a_text_is_no_text(tmp_path):
    photo = write_photo(tmp_path / "a.jpg", Image_Artist=exiv2.LongValue(7), Photo_DateTimeOriginal=exiv2.LongValue(7))
    found = read_photo(photo)
    assert (found.artist, found.time) == (None, None)


def test_a_photo_in_a_folder_whose_name_is_not_utf_8_is_read(tmp_path):
    """T25"""
    photo = write_photo(tmp_path / "a.jpg", {FLAT: ["sea"]})
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    assert read_photo(photo.rename(folder / "a.jpg")).keywords == {FLAT: ["sea"]}


def test_the_packet_of_avif_is_found(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.avif", xmp=subject("sea"))
    assert read_photo(tmp_path / "a.avif").keywords == {FLAT: ["sea"]}


def test_the_packet_of_gif_is_found(tmp_path):
    """exiv2 does not look for it."""
    Image.new("RGB", (40, 40)).save(tmp_path / "a.gif")
    picture = (tmp_path / "a.gif").read_bytes()[:-1]
    extension = b"!\xff\x0bXMP DataXMP" + subject("sea") + b"\x01" + bytes(range(255, -1, -1)) + b"\x00"
    (tmp_path / "a.gif").write_bytes(picture + extension + b";")
    assert read_photo(tmp_path / "a.gif").keywords == {FLAT: ["sea"]}
    assert read_photo((tmp_path / "a.gif").read_bytes()).keywords == {FLAT: ["sea"]}


def test_the_packet_of_heic_is_found(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(Image.new("RGB", (64, 64))).save(tmp_path / "a.heic", xmp=subject("sea"))
    assert read_photo(tmp_path / "a.heic").keywords == {FLAT: ["sea"]}


def test_artist_and_time_with_its_zone(tmp_path):
    fields = {"Image_Artist": "Ann", "Photo_DateTimeOriginal": "1970:01:01 02:00:01"}
    found = read_photo(write_photo(tmp_path / "a.jpg", **fields))
    assert (found.artist, found.time) == ("Ann", 7_201_000)
    fields["Photo_OffsetTimeOriginal"] = "+02:00"
    assert read_photo(write_photo(tmp_path / "a.jpg", **fields)).time == 1000
    fields["Photo_DateTimeOriginal"] = "0000:00:00 00:00:00"
    assert read_photo(write_photo(tmp_path / "a.jpg", **fields)).time is None


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("1970:01:01 00:00:01.5", 1500),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1970-01-02", 86_400_000),
        ("9999-12-31T23:59:59-23:59", None),
        ("2020:13:01 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("", None),
    ],
)
def test_dates_of_any_form_are_milliseconds_and_impossible_ones_are_none(date, expected):
    assert milliseconds(date) == expected


def iptc_block(*words: bytes, declared: bytes = b"") -> bytes:
    """Makes IPTC data sets: 1:90, if declared, and a 2:25 for each word."""
    sets = [(1, 90, declared)] * bool(declared) + [(2, 25, word) for word in words]
    return b"".join(struct.pack(">BBBH", 0x1C, *record, len(value)) + value for *record, value in sets)


def jpeg_with(tmp_path, block: bytes, packet: bytes = b"", digest: bytes | None = None) -> bytes:
    """Makes a JPEG with IPTC in Photoshop's resources, with or without a digest, and an XMP packet."""
    Image.new("RGB", (40, 40)).save(tmp_path / "plain.jpg", xmp=packet)
    resources = [(0x404, block)] + [(0x425, digest)] * (digest is not None)
    content = b"Photoshop 3.0\0"
    for number, data in resources:
        content += b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + bytes(len(data) % 2)
    plain = (tmp_path / "plain.jpg").read_bytes()
    return plain[:2] + b"\xff\xed" + struct.pack(">H", 2 + len(content)) + content + plain[2:]


@pytest.mark.parametrize(
    ("word", "declared", "expected"),
    [
        ("Käfer".encode(), b"\x1b%G", "Käfer"),
        ("Käfer".encode(), b"", "Käfer"),
        ("Käfer".encode("latin-1"), b"", "Käfer"),
        ("Käfer".encode("latin-1"), b"\x1b%G", "Käfer"),
        ("Ã¤".encode("latin-1"), b"\x1b.A", "Ã¤"),
        ("Käfer".encode(), b"s o m e t h i n g", "Käfer"),
        ("“Café”".encode("cp1252"), b"", "“Café”"),
    ],
    ids=["UTF-8", "undeclared", "Latin-1", "declared wrongly", "declared Latin-1", "garbage", "Windows"],
)
def test_iptc_is_decoded_as_declared_or_recognised(tmp_path, word, declared, expected):
    assert read_photo(jpeg_with(tmp_path, iptc_block(word, declared=declared))).keywords == {IPTC: [expected]}


def test_xmp_holds_where_iptc_differs_unless_the_digest_shows_that_iptc_is_newer(tmp_path):
    """The rule of the Metadata Working Group."""
    block, packet = iptc_block(b"old"), subject("new")
    current, other = hashlib.md5(block).digest(), bytes(16)
    assert read_photo(jpeg_with(tmp_path, block, packet)).keywords == {FLAT: ["new"]}
    assert read_photo(jpeg_with(tmp_path, block, packet, current)).keywords == {FLAT: ["new"]}
    assert read_photo(jpeg_with(tmp_path, block, packet, other)).keywords == {IPTC: ["old"]}


def test_of_a_file_cut_short_counts_what_stands_before_the_cut(tmp_path):
    photo = write_photo(tmp_path / "a.jpg", {FLAT: ["sea"]}).read_bytes()
    assert read_photo(photo[: photo.index(b"</x:xmpmeta>") + 2500]).keywords == {FLAT: ["sea"]}


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff", b"GIF89a"])
def test_what_exiv2_cannot_read_is_a_reason(data):
    with pytest.raises(KeywordError, match="cannot be read by exiv2"):
        read_photo(data)


def test_a_photo_without_keywords_has_none(tmp_path):
    assert read_photo(write_photo(tmp_path / "a.jpg")).keywords == {}
