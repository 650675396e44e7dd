"""Photos made uniform: upright, RGB, of bounded size, without metadata; or a reason why not."""

import io
import random
import struct
import subprocess
import sys
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from pipeline.data.photo import LARGEST, Photo, PhotoError, prepare

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


pillow_heif.register_heif_opener()  # To write HEIF: reading registers it by itself.


def picture(width: int = 64, height: int = 48) -> Image.Image:
    """Four plain quarters: red, green, blue, white."""
    image = Image.new("RGB", (2, 2))
    image.putdata([RED, GREEN, BLUE, WHITE])
    return image.resize((width, height), Image.Resampling.NEAREST)


def encoded(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(photo: Photo) -> np.ndarray:
    image = Image.open(io.BytesIO(photo.jpeg))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (photo.width, photo.height))
    return np.asarray(image).astype(int)


def quarters(photo: Photo) -> list[tuple[int, int, int]]:
    """The colours in the middle of the four quarters, in steps of 64: encoding changes a colour a little."""
    image = pixels(photo)
    ys, xs = (photo.height // 4, photo.height * 3 // 4), (photo.width // 4, photo.width * 3 // 4)
    return [tuple(int(round(value / 64) * 64) for value in image[y, x]) for y in ys for x in xs]


QUARTERS = [(256, 0, 0), (0, 256, 0), (0, 0, 256), (256, 256, 256)]


def test_a_fitting_jpeg_keeps_its_bytes():
    data = encoded(picture(500, 400), quality=70)
    assert prepare("a.jpg", data) == Photo("a.jpg", data, 500, 400)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_other_formats_become_jpeg(kind):
    photo = prepare("a", encoded(picture(), kind))
    assert (photo.width, photo.height) == (64, 48)
    assert quarters(photo) == QUARTERS


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_large_photo_is_reduced_to_the_longer_side(kind):
    photo = prepare("a", encoded(picture(2400, 1600), kind))
    assert (photo.width, photo.height) == (500, 333)
    assert quarters(photo) == QUARTERS


def test_the_longer_side_is_the_callers():
    assert prepare("a", encoded(picture()), side=48).width == 48


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(kind, orientation):
    """T13: a TIFF was turned twice."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"exif": exif.tobytes(), "quality": 95}  # Bytes, because some formats' writers change the object.
    photo = prepare("a", encoded(picture(), kind, **options))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded(picture(), **options))))
    assert (photo.width, photo.height) == upright.size
    assert np.abs(pixels(photo) - np.asarray(upright).astype(int)).mean() < 5
    assert Image.open(io.BytesIO(photo.jpeg)).getexif().get(ExifTags.Base.Orientation, 1) == 1


def test_broken_exif_counts_as_upright():
    photo = prepare("a", encoded(picture(), exif=b"Exif\0\0nonsense"))
    assert quarters(photo) == QUARTERS


def test_cmyk_becomes_rgb():
    assert quarters(prepare("a", encoded(picture().convert("CMYK")))) == QUARTERS


def test_grey_becomes_rgb():
    assert pixels(prepare("a", encoded(Image.new("L", (40, 40), 100))))[20, 20].tolist() == [100, 100, 100]


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_transparency_lies_on_white(mode):
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0)).convert(mode)
    options = {"transparency": 0} if mode == "P" else {}
    assert pixels(prepare("a", encoded(image, "PNG", **options)))[20, 20].min() > 250


@pytest.mark.parametrize("data", [encoded(picture()) + bytes(LARGEST), encoded(picture(), icc_profile=bytes(LARGEST))])
def test_a_jpeg_that_is_mostly_no_picture_becomes_small(data):
    assert len(prepare("a", data).jpeg) < 10_000


@pytest.mark.parametrize("size", [(800, 600), (400, 300)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_metadata_of_the_source_is_dropped(kind, size):
    """T14: GPS and artist were packed."""
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "my name"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (51.0, 2.0, 3.0)
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSAreaInformation] = b"my address"
    options = {"comment": b"my address", "xmp": b"<x:xmpmeta>my address</x:xmpmeta>"}
    data = encoded(picture(*size), kind, exif=exif, **(options if kind == "JPEG" else {}))
    assert b"my name" in data
    photo = prepare("a", data)
    assert b"my" not in photo.jpeg
    assert Image.open(io.BytesIO(photo.jpeg)).getexif() == {}


def test_iphones_photos_are_read_without_a_word_before():
    """T12: HEIC. In a process of its own, because this one has registered the format."""
    code = """
import io, sys
from pipeline.data.photo import prepare
assert "pillow_heif" not in sys.modules
photo = prepare("a", sys.stdin.buffer.read())
print(photo.width, photo.height)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, input=encoded(picture(), "HEIF"), capture_output=True, check=True
    )
    assert done.stdout.split() == [b"64", b"48"]


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size(monkeypatch):
    """T12: 182 megapixels; here in small. T21: without a warning that names Pillow's lines."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2_000_000)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert prepare("a", encoded(picture(4000, 3000))).width == 500
        assert prepare("a", encoded(picture(2000, 1500), "PNG")).width == 500
    assert not caught
    for data in (encoded(picture(4000, 3000), progressive=True), encoded(picture(4000, 3000), "PNG")):
        with pytest.raises(PhotoError, match="too large"):
            prepare("a", data)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_nothing_is_printed_about_a_damaged_tiff(capfd, compression):
    """T21: libtiff prints lines without the photo's name."""
    rng, whole = random.Random(21), encoded(picture(80, 80), "TIFF", compression=compression)
    for _ in range(30):
        damaged = bytearray(whole)
        for _ in range(4):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        with suppress(PhotoError):
            prepare("a", bytes(damaged))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "values", "shade"),
    [
        ("PNG", np.full((40, 40), 100 * 257, np.uint16), 100),
        ("TIFF", np.full((40, 40), 100 * 257, np.uint16), 100),
        ("TIFF", np.full((40, 40), 100, np.int32), 100),
        ("TIFF", np.full((40, 40), 100 * 257, np.int32), 100),
        ("TIFF", np.full((40, 40), 0.4, np.float32), 102),
        ("TIFF", np.full((40, 40), 100.0, np.float32), 100),
        ("TIFF", np.full((40, 40), 1e6, np.float32), 255),
        ("TIFF", np.full((40, 40), np.nan, np.float32), 0),
    ],
)
def test_grey_of_many_bits_keeps_its_shade(kind, values, shade):
    """T24: whole numbers up to 255 and floats up to 1 were black."""
    assert pixels(prepare("a", encoded(Image.fromarray(values), kind)))[20, 20].tolist() == [shade] * 3


def test_a_transparent_shade_of_sixteen_bits_is_white_and_others_stay():
    """T24: all was white."""
    values = np.full((40, 80), 100 * 257, np.uint16)
    values[:, :40] = 5
    found = pixels(prepare("a", encoded(Image.fromarray(values), "PNG", transparency=5)))
    assert found[20, 10].min() > 250
    assert abs(found[20, 70] - 100).max() < 3


@pytest.mark.parametrize("large", ["profile", "text"])
def test_a_png_with_large_chunks_is_a_photo(large):
    """T24: a colour profile or a text above a megabyte."""
    texts, random = PngInfo(), np.random.default_rng(0).bytes(2 * 1024**2).hex()
    texts.add_text("comment", random if large == "text" else "small", zip=True)
    profile = random.encode() if large == "profile" else None
    data = encoded(picture(), "PNG", pnginfo=texts, icc_profile=profile)
    assert len(data) > 1024**2
    assert quarters(prepare("a", data)) == QUARTERS


def header_of_a_bomb() -> bytes:
    """A PNG that says it is 60,000 × 60,000."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an image"),
        (b"<html>This photo is no longer available</html>", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n%%EndComments\n%%EOF\n", "not an image"),
        (encoded(picture(400, 300))[:-1000], "undecodable"),
        (encoded(picture(400, 300), "PNG")[:-200], "undecodable"),
        (encoded(picture(31, 400)), "too small"),
        (encoded(picture(4000, 100)), "too narrow"),
        (header_of_a_bomb(), "too large"),
    ],
)
def test_what_is_no_photo_says_why(data, reason):
    with pytest.raises(PhotoError) as caught:
        prepare("a", data)
    assert caught.value.reason == reason


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "WEBP"]),
    end=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=20),
)
def test_a_damaged_file_is_a_photo_or_says_why(kind, end, flips):
    data = bytearray(encoded(picture(), kind))
    for place, value in flips:
        data[int(place * len(data))] = value
    try:
        photo = prepare("a", bytes(data[: int(end * len(data)) + 1]))
    except PhotoError as error:
        assert error.reason in {"not an image", "undecodable", "too small", "too narrow", "too large"}
    else:
        assert pixels(photo).shape == (photo.height, photo.width, 3)
