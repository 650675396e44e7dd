"""The time of a photo by its Exif data: as exiv2 reads it, in the formats of cameras, and none where it is broken."""

import io

import pytest
from PIL import ExifTags, Image

from pipeline.keywords.capture_time import time_taken
from pipeline.keywords.embedded import read_photo

TAKEN, ZONE = ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal
DIGITIZED = ExifTags.Base.DateTimeDigitized
SECOND = 1000


def written(fields: dict[int, str], format: str = "JPEG") -> bytes:
    exif, buffer = Image.Exif(), io.BytesIO()
    exif.get_ifd(ExifTags.IFD.Exif).update(fields)
    image = Image.new("RGB", (64, 64))
    if format == "HEIF":
        heif = pytest.importorskip("pillow_heif")
        heif.from_pillow(image).save(buffer, exif=exif.tobytes())
    else:
        image.save(buffer, format, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "HEIF", "WEBP"])
def test_it_is_found_in_the_formats_of_cameras(format):
    assert time_taken(written({TAKEN: "1970:01:01 00:00:07"}, format)) == 7 * SECOND


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({TAKEN: "1970:01:01 02:00:01", ZONE: "+02:00"}, 1),
        ({DIGITIZED: "1970:01:01 00:00:02"}, 2),
        ({TAKEN: "0000:00:00 00:00:00", DIGITIZED: "1970:01:01 00:00:03"}, 3),
        ({TAKEN: "yesterday"}, None),
        ({TAKEN: "9999:12:31 23:59:59"}, None),
        ({TAKEN: "9999:12:31 23:59:59", ZONE: "-23:59"}, None),
        ({TAKEN: "2200:01:01 00:00:00"}, None),
        ({TAKEN: "0001:01:01 00:00:00"}, None),
        ({TAKEN: "1799:12:31 23:59:59", DIGITIZED: "1970:01:01 00:00:04"}, 4),
        ({TAKEN: "2016:12:31 23:59:60"}, 1_483_228_799),
        ({TAKEN: "2016:12:31 23:59:61"}, None),
        ({ZONE: "+02:00"}, None),
    ],
)
def test_it_is_what_the_reader_of_keywords_finds(fields, seconds):
    photo = written(fields)
    assert time_taken(photo) == read_photo(photo).time == (None if seconds is None else seconds * SECOND)


def test_a_file_without_it_has_none():
    plain = io.BytesIO()
    Image.new("RGB", (64, 64)).save(plain, "JPEG")
    for file in (plain.getvalue(), b"", b"no photo"):
        assert time_taken(file) is None


def test_broken_data_has_none():
    photo = written({TAKEN: "1970:01:01 00:00:07"})
    start = photo.find(b"Exif\0\0")
    for end in range(start, photo.find(b"1970")):
        assert time_taken(photo[:end]) is None
    for place in range(start + 6, start + 60):
        time_taken(photo[:place] + b"\xff" + photo[place + 1 :])
