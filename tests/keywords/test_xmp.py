"""XMP packets: three fields get keywords that exiv2, Pillow and ExifTool read, and nothing else changes."""

import sys
from pathlib import Path

import exiv2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.data.names import normalise
from pipeline.errors import InputError
from pipeline.keywords import xmp
from pipeline.keywords.embedded import read_photo
from pipeline.keywords.metadata import FLAT, IPTC, PIPED, SLASHED, WINDOWS, KeywordError
from pipeline.keywords.packet import read
from pipeline.keywords.xmp import add, is_keyword, sidecar
from tests.support.exiftool import exiftool, foreign, needs_exiftool
from tests.support.keyword_files import packet, write_photo
from tests.support.keywords import DARKTABLE, MADE_TAGS


def test_a_new_sidecar_has_the_tags_in_all_three_fields():
    found = read(sidecar(["night", "animal/cat", "animal|dog"])).keywords
    assert found[FLAT] == ["night", "animal/cat", "animal|dog"]
    assert found[SLASHED] == ["night", "animal/cat", "animal/dog"]
    assert found[PIPED] == ["night", "animal|cat", "animal|dog"]


def test_the_fields_have_the_containers_that_readers_expect():
    text = sidecar(["a"]).decode()
    for field, container in (("dc:subject", "Bag"), ("digiKam:TagsList", "Seq"), ("lr:hierarchicalSubject", "Bag")):
        assert f"<{field}>\n    <rdf:{container}>" in text


def test_exiv2_reads_two_hundred_awkward_tags_back_from_a_file(tmp_path):
    file = tmp_path / "photo.jpg.xmp"
    file.write_bytes(sidecar(MADE_TAGS))
    image = exiv2.ImageFactory.open(str(file))
    image.readMetadata()
    assert list(image.xmpData()[FLAT].value()) == MADE_TAGS


def test_pillow_reads_two_hundred_awkward_tags_back():
    image = Image.new("RGB", (1, 1))
    image.info["xmp"] = sidecar(MADE_TAGS)
    description = image.getxmp()["xmpmeta"]["RDF"]["Description"]
    # Pillow's reader strips blanks at both ends.
    assert description["subject"]["Bag"]["li"] == [tag.strip() for tag in MADE_TAGS]
    assert len(description["TagsList"]["Seq"]["li"]) == len({tag.replace("|", "/") for tag in MADE_TAGS})


@needs_exiftool
def test_exiftool_reads_two_hundred_awkward_tags_back(tmp_path):
    file = tmp_path / "photo.jpg.xmp"
    file.write_bytes(sidecar(MADE_TAGS))
    fields = exiftool(file)
    assert [str(tag) for tag in fields["XMP-dc:Subject"]] == MADE_TAGS
    assert "a/b" in fields["XMP-digiKam:TagsList"]
    assert "a|b" in fields["XMP-lr:HierarchicalSubject"]


def test_keywords_are_added_after_those_that_are_there_and_never_twice():
    first = sidecar(["a", "b"])
    second = add(first, ["b", "c"])
    assert read(second).keywords[FLAT] == ["a", "b", "c"]
    assert add(second, ["a", "c"]) is second


def test_duplicates_that_were_there_stay():
    old = packet("<dc:subject><rdf:Bag><rdf:li>Cat</rdf:li><rdf:li>Cat</rdf:li></rdf:Bag></dc:subject>")
    assert read(add(old, ["dog"])).keywords[FLAT] == ["Cat", "Cat", "dog"]


def test_a_tag_that_the_owner_writes_in_another_case_is_not_added():
    """Sources fold the case of tags: `familie` is suggested to whoever writes `Familie`."""
    old = sidecar(["Familie", "Sommer 2023", "Cafe\u0301", "İstanbul"])
    assert add(old, ["familie", "sommer 2023", "café", "istanbul"]) is old
    assert read(add(old, ["familie", "люди"])).keywords[FLAT][4:] == ["люди"]


def test_a_tag_that_is_a_level_of_a_keyword_is_not_added_to_that_field():
    lightroom = packet(
        "<lr:hierarchicalSubject><rdf:Bag><rdf:li>Animal|Cat</rdf:li></rdf:Bag></lr:hierarchicalSubject>"
    )
    found = read(add(lightroom, ["animal", "cat", "animal/cat", "animal/dog"])).keywords
    assert found[PIPED] == ["Animal|Cat", "animal|dog"]
    assert found[SLASHED] == ["Animal/Cat", "animal/dog"]
    assert found[FLAT] == ["Cat", "animal", "animal/cat", "animal/dog"]


@needs_exiftool
def test_the_fields_of_other_programs_keep_their_values(tmp_path):
    old, new = tmp_path / "old.xmp", tmp_path / "new.xmp"
    old.write_text(DARKTABLE, encoding="utf-8")
    new.write_bytes(add(old.read_bytes(), ["night"]))
    before, after = exiftool(old), exiftool(new)
    assert len(before["XMP-darktable:History"]) == 13
    assert foreign(after) == foreign(before)
    assert after["XMP-dc:Subject"] == ["old", "night"]


def test_a_packet_whose_other_fields_would_change_is_refused(monkeypatch):
    old = packet("<my:note>1</my:note>")
    spoiled = packet("<my:note>2</my:note>")
    monkeypatch.setattr(xmp, "_encode", lambda _: spoiled)
    with pytest.raises(KeywordError, match="would change"):
        add(old, ["a"])


def test_an_absent_field_begins_with_the_keywords_of_another():
    """A reader of that field alone would lose them otherwise."""
    lightroom = packet(
        "<lr:hierarchicalSubject><rdf:Bag><rdf:li>animal|cat</rdf:li></rdf:Bag></lr:hierarchicalSubject>"
    )
    found = read(add(lightroom, ["night"])).keywords
    assert found == {FLAT: ["cat", "night"], SLASHED: ["animal/cat", "night"], PIPED: ["animal|cat", "night"]}


def test_a_new_sidecar_begins_with_the_photos_own_keywords(photo_with_keywords):
    assert read(add(None, ["night"], photo_with_keywords)).keywords[FLAT] == ["own", "night"]
    assert read(add(sidecar(["other"]), ["night"], photo_with_keywords)).keywords[FLAT] == ["other", "night"]


@pytest.fixture
def photo_with_keywords(tmp_path):
    file = tmp_path / "photo.jpg"
    Image.new("RGB", (8, 8)).save(file, xmp=sidecar(["own"]))
    return file.read_bytes()


def test_a_new_sidecar_begins_with_the_keywords_of_windows_where_there_are_no_others(tmp_path):
    photo = write_photo(tmp_path / "photo.jpg", {WINDOWS: ["own"]}).read_bytes()
    assert read(add(None, ["night"], photo)).keywords[PIPED] == ["own", "night"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_iptc_keywords_of_the_photo_count_when_xmp_has_none(tmp_path, encoding):
    image = exiv2.ImageFactory.open(jpeg(tmp_path))
    image.readMetadata()
    data = exiv2.IptcData()
    data[IPTC] = "Käfer" if encoding == "utf-8" else exiv2.StringValue("K?fer")
    image.setIptcData(data)
    image.writeMetadata()
    photo = stored(image).replace(b"K?fer", b"K\xe4fer")
    assert read_photo(photo).keywords[IPTC] == ["Käfer"]
    assert read(add(None, ["night"], photo)).keywords[SLASHED] == ["Käfer", "night"]


def jpeg(folder: Path) -> bytes:
    Image.new("RGB", (8, 8)).save(folder / "photo.jpg")
    return (folder / "photo.jpg").read_bytes()


def stored(image: exiv2.Image) -> bytes:
    source = image.io()
    source.open()
    return bytes(source.mmap())


@pytest.mark.parametrize("data", [b"", b"\xff\xd8 broken", b"GIF89a"])
def test_a_photo_that_cannot_be_read_has_no_keywords_to_begin_with(data):
    assert read(add(None, ["night"], data)).keywords[FLAT] == ["night"]


@pytest.mark.parametrize("broken", [b"hello", b"<a><b></a>", b"\xff\xfe\x00", b"\xe4\xf6"])
def test_what_is_not_xmp_is_refused(broken):
    with pytest.raises(KeywordError, match=r"is not XMP|is neither UTF-8 nor UTF-16"):
        add(broken, ["a"])


def test_a_sidecar_in_utf_16_is_read():
    old = sidecar(["Lösung"]).decode().encode("utf-16")
    assert read(add(old, ["night"])).keywords[FLAT] == ["Lösung", "night"]


@pytest.mark.parametrize("tag", ["", " ", "a\nb", "a\x00b", "\x1b[31m", "\ud800", "a\u2028b", "a\ufffeb", "a\x85b"])
def test_tags_that_cannot_be_written_are_recognised(tag):
    assert not is_keyword(tag)
    assert read(sidecar([tag, "cat"])).keywords[FLAT] == ["cat"]


@given(st.lists(st.text(min_size=1).filter(is_keyword), min_size=1, unique=True))
def test_any_keyword_comes_back(tags):
    found = read(sidecar(tags)).keywords
    assert found[FLAT] == tags
    assert set(found[PIPED]) == {tag.replace("/", "|") for tag in tags}


@given(st.text())
def test_every_name_that_sources_keep_is_a_keyword(text):
    name = normalise(text)
    assert not name or is_keyword(name)


def test_letters_of_a_later_unicode_are_keywords():
    assert is_keyword("\U0001fae9")  # An emoji of Unicode 16.


def test_without_exiv2_the_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "exiv2", None)
    with pytest.raises(InputError, match="exiv2, which is not installed"):
        sidecar(["a"])


@pytest.mark.real
@needs_exiftool
def test_real_sidecars_keep_every_field(real_data, tmp_path):
    refused = []
    files = sorted(file for file in (real_data / "metadata").rglob("*") if file.suffix.lower() == ".xmp")
    for file in files:
        new = tmp_path / file.name
        try:
            new.write_bytes(add(file.read_bytes(), ["night"]))
        except KeywordError:
            refused.append(file.name)
            continue
        before, after = exiftool(file), exiftool(new)
        if "XMP-rdf:About" in before:  # The toolkit keeps the id of a document, an attribute once, as a field.
            before["XMP-xmpMM:InstanceID"] = before.pop("XMP-rdf:About")
        assert foreign(after) == foreign(before), file
    assert refused == ["no-rdf-bag.xmp", "nodeid.xmp"]
    assert len(files) > 15
