"""Keywords in image files: the packet is found and replaced, and every other byte stays."""

import io
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from pipeline.keywords.containers import CONTAINERS, Jpeg, container_of
from pipeline.keywords.metadata import FLAT, KeywordError
from pipeline.keywords.packet import read
from pipeline.keywords.xmp import add, sidecar
from tests.support.exiftool import exiftool, foreign, needs_exiftool
from tests.support.keywords import MADE_TAGS

SAVING = {
    "jpeg": {"format": "JPEG"},
    "progressive": {"format": "JPEG", "progressive": True},
    "png": {"format": "PNG"},
    "lossy": {"format": "WEBP"},
    "lossless": {"format": "WEBP", "lossless": True},
    "transparent": {"format": "WEBP", "lossless": True, "mode": "RGBA"},
}


def image_file(format: str, mode: str = "RGB", **options) -> bytes:
    """Makes a picture with Exif data and a colour profile; a simple WebP has neither."""
    picture = Image.linear_gradient("L").resize((37, 23)).convert(mode)
    exif = Image.Exif()
    exif[270] = "a description"
    extras = {} if format == "WEBP" else {"exif": exif, "icc_profile": b"profile" * 9, "comment": b"a comment"}
    buffer = io.BytesIO()
    picture.save(buffer, format, **extras, **options)
    return buffer.getvalue()


@pytest.fixture(params=SAVING)
def photo(request) -> bytes:
    return image_file(**SAVING[request.param])


def test_a_packet_that_is_put_is_found_by_us_and_by_pillow(photo):
    packet = sidecar(MADE_TAGS)
    assert container_of(photo).find(photo) is None
    new = container_of(photo).put(photo, packet)
    assert container_of(new).find(new) == packet
    with Image.open(io.BytesIO(photo)) as before, Image.open(io.BytesIO(new)) as after:
        assert after.info["xmp"] == packet
        assert (after.size, after.mode, after.tobytes()) == (before.size, before.mode, before.tobytes())
        assert after.getexif() == before.getexif()


def test_all_other_bytes_stay(photo):
    new = container_of(photo).put(photo + b"a trailer", sidecar(["a"]))
    assert new.endswith(b"a trailer")
    start, end = container_of(new)._locate(new)
    if photo.startswith(b"RIFF"):  # The header counts the file's bytes, and says that there is XMP.
        extended = container_of(photo).put(photo, sidecar(["a"]))
        assert new == extended + b"a trailer"
        assert photo[12:] in new[:start]
    else:
        assert new[:start] + new[end:] == photo + b"a trailer"


def test_a_packet_takes_the_place_of_the_one_before(photo):
    container = container_of(photo)
    once = container.put(photo, sidecar(["a", "b"]))
    assert container.put(container.put(photo, sidecar(["a longer one"])), sidecar(["a", "b"])) == once


def test_a_webp_file_counts_its_bytes():
    photo = image_file("WEBP")
    new = CONTAINERS["WebP"].put(photo, sidecar(["odd"]) + b" ")
    assert int.from_bytes(new[4:8], "little") == len(new) - 8


def test_a_webp_file_without_size_is_refused():
    with pytest.raises(KeywordError, match="has no size"):
        CONTAINERS["WebP"].put(b"RIFF\x16\0\0\0WEBPVP8 \x0a\0\0\0" + bytes(10), sidecar(["a"]))


def test_a_compressed_packet_in_png_is_found():
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", sidecar(["é"]).decode(), zip=True)
    assert read(CONTAINERS["PNG"].find(image_file("PNG", pnginfo=text))).keywords[FLAT] == ["é"]


def test_jpeg_keeps_jfif_and_exif_first():
    new = container_of(image_file("JPEG")).put(image_file("JPEG"), sidecar(["a"]))
    assert new.index(b"JFIF") < new.index(b"Exif\0") < new.index(Jpeg.HEAD) < new.index(b"ICC_PROFILE")


def test_more_xmp_than_a_jpeg_segment_holds_is_refused():
    with pytest.raises(KeywordError, match="more XMP than a JPEG"):
        CONTAINERS["JPEG"].put(image_file("JPEG"), b"x" * (Jpeg.LARGEST + 1))


def test_a_list_of_more_pictures_before_the_packet_keeps_its_distances():
    photo = image_file("JPEG")
    new = photo[:2] + b"\xff\xe2\x00\x06MPF\0" + CONTAINERS["JPEG"].put(photo, sidecar(["a"]))[2:]
    with pytest.raises(KeywordError, match="more pictures"):
        CONTAINERS["JPEG"].put(new, sidecar(["b"]))


@pytest.mark.parametrize("format", ["GIF", "TIFF", "BMP", "AVIF"])
def test_other_formats_are_refused(format):
    with pytest.raises(KeywordError, match="is not a JPEG, PNG, WebP file"):
        container_of(image_file(format))


@pytest.mark.parametrize("cut", [3, 12, 25, 40, 60])
def test_a_file_that_is_cut_short_is_refused(photo, cut):
    with pytest.raises(KeywordError):
        container_of(photo[:cut]).put(photo[:cut], sidecar(["a"]))


def test_a_damaged_packet_in_png_is_refused():
    text = PngImagePlugin.PngInfo()
    text.add(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"x" * 99)[:9])
    with pytest.raises(KeywordError, match="damaged"):
        CONTAINERS["PNG"].find(image_file("PNG", pnginfo=text))


@pytest.mark.real
@needs_exiftool
def test_real_photos_keep_every_field(real_data, tmp_path):
    done, files = [], [file for file in sorted((real_data / "metadata").rglob("*")) if file.is_file()]
    for file in files:
        data, new = file.read_bytes(), tmp_path / file.name
        try:
            container = container_of(data)
            new.write_bytes(container.put(data, add(container.find(data), ["night"], data)))
        except KeywordError:
            continue
        done.append(file.name)
        before, after = exiftool(file), exiftool(new)
        if "XMP-rdf:About" in before:
            before["XMP-xmpMM:InstanceID"] = before.pop("XMP-rdf:About")
        assert stable(after) == stable(before), file
        assert pixels(new) == pixels(file), file
    assert len(done) > 40


def stable(fields: dict[str, object]) -> dict[str, object]:
    """Leaves out what is written, places in the file, and empty texts in XMP, which hold nothing."""
    return {
        key: value
        for key, value in foreign(fields).items()
        if not key.endswith(("Offset", "Start")) and not (key.startswith("XMP-") and value in ("", [""]))
    }


def pixels(file: Path) -> bytes | None:
    try:
        with Image.open(file) as image:
            return image.tobytes()
    except OSError:
        return None
