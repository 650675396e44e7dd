"""The place of a photo by its Exif data: as exiv2 reads it, in the formats of cameras, and none where it is broken."""

import io

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from pipeline.data.jpeg import strip_metadata
from pipeline.keywords.capture_place import add_place, keep_place, place_taken
from pipeline.keywords.coordinates import Angle, position
from pipeline.keywords.embedded import read_photo
from tests.support.fuzzing import damaged, fuzz

LATITUDE, NORTH_SOUTH = ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef
LONGITUDE, EAST_WEST = ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef
STATUS = ExifTags.GPS.GPSStatus
DRESDEN = {LATITUDE: (51, 3, 30), NORTH_SOUTH: "N", LONGITUDE: (13, 44, 15), EAST_WEST: "E"}
DEGREES = (51 + 3 / 60 + 30 / 3600, 13 + 44 / 60 + 15 / 3600)
CENTISECOND = 1 / 360_000


def written(fields: dict[int, object], format: str = "JPEG") -> bytes:
    exif, buffer = Image.Exif(), io.BytesIO()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(fields)
    image = Image.new("RGB", (64, 64))
    if format == "HEIF":
        heif = pytest.importorskip("pillow_heif")
        heif.from_pillow(image).save(buffer, exif=exif.tobytes())
    else:
        image.save(buffer, format, exif=exif.tobytes())
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "HEIF", "WEBP", "PNG"])
def test_it_is_found_in_the_formats_of_cameras(format):
    assert place_taken(written(DRESDEN, format)) == pytest.approx(DEGREES, abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "signs"),
    [
        ({}, (1, 1)),
        ({NORTH_SOUTH: "S"}, (-1, 1)),
        ({EAST_WEST: "W"}, (1, -1)),
        ({NORTH_SOUTH: "n\0", EAST_WEST: " e"}, (1, 1)),
        ({NORTH_SOUTH: None}, None),
        ({EAST_WEST: None}, None),
        ({LATITUDE: None}, None),
        ({NORTH_SOUTH: "E"}, None),
        ({EAST_WEST: ""}, None),
        ({LATITUDE: (91, 0, 0)}, None),
        ({LONGITUDE: (180, 0, 1)}, None),
        ({LATITUDE: (0, 0, 0), LONGITUDE: (0, 0, 0)}, None),
        ({LATITUDE: (51, 3)}, None),
        ({LATITUDE: (51,)}, None),
        ({LATITUDE: (51, 3, 30, 0)}, None),
        ({LATITUDE: (51, 3, IFDRational(30, 0))}, None),
        ({LATITUDE: (IFDRational(0, 0), 3, 30)}, None),
        ({LATITUDE: (2**32 - 1, 0, 0)}, None),
        ({LATITUDE: (51, 3, 60.5)}, None),
        ({LATITUDE: (51, 63, 30)}, None),
        ({LONGITUDE: (13, 44, 1500)}, None),
        ({STATUS: "V"}, None),
        ({STATUS: "v\0"}, None),
        ({STATUS: "A"}, (1, 1)),
        ({STATUS: ""}, (1, 1)),
    ],
)
def test_it_is_what_the_reader_of_keywords_finds(changes, signs):
    photo = written({field: value for field, value in (DRESDEN | changes).items() if value is not None})
    expected = signs and pytest.approx([sign * angle for sign, angle in zip(signs, DEGREES, strict=True)], abs=1e-9)
    assert place_taken(photo) == expected
    assert read_photo(photo).position == place_taken(photo)


@pytest.mark.parametrize(("parts", "degrees"), [((51, 3, 60), 51 + 4 / 60), ((50, 60, 0), 51.0), ((50, 59, 60), 51.0)])
def test_rounded_seconds_are_the_next_minute(parts, degrees):
    photo = written(DRESDEN | {LATITUDE: parts})
    assert place_taken(photo) == read_photo(photo).position == pytest.approx((degrees, DEGREES[1]), abs=1e-9)


def test_other_types_than_rational_numbers_are_no_place():
    photo = written(DRESDEN)
    for kind in (1, 2, 3, 4, 7, 9, 10, 12):
        changed = bytearray(photo)
        entry = photo.find(LATITUDE.to_bytes(2, "big") + b"\0\x05\0\0\0\x03")
        assert entry > 0
        changed[entry + 3] = kind
        found = place_taken(bytes(changed))
        assert found is None or kind == 10, "signed rational numbers are read"
        assert read_photo(bytes(changed)).position == found


def test_a_segment_of_a_maker_before_it_is_none():
    """Phones write their own directories into segments before that of Exif."""
    photo = written(DRESDEN)
    maker = b"\xff\xe7\0\x20MAKER\0\0II*\0\x08\0\0\0".ljust(34, b"\0")
    assert place_taken(photo[:2] + maker + photo[2:]) == pytest.approx(DEGREES, abs=1e-9)


def test_a_file_without_it_has_none():
    plain = io.BytesIO()
    Image.new("RGB", (64, 64)).save(plain, "JPEG")
    for file in (plain.getvalue(), b"", b"no photo", bytes(10_000_000), written({})):
        assert place_taken(file) is None


def test_broken_data_has_none():
    photo = written(DRESDEN)
    start, end = photo.find(b"Exif\0\0"), photo.find(b"\xff\xdb")
    for place in range(start, end - 8):
        assert place_taken(photo[:place]) is None
    for place in range(start + 6, end):
        for value in (b"\0", b"\xff"):
            found = place_taken(photo[:place] + value + photo[place + 1 :])
            assert found is None or -90 <= found[0] <= 90


@given(
    st.sampled_from([b"", b"II*\0", b"MM\0*", b"\xff\xd8\xff\xe1\0\xffExif\0\0II*\0\x08\0\0\0"]),
    st.binary(max_size=300),
)
def test_no_bytes_are_more_than_a_position_or_none(head, data):
    found = place_taken(head + data)
    assert found is None or -180 <= found[1] <= 180


@fuzz(80)
@given(format=st.sampled_from(["JPEG", "WEBP", "PNG"]), data=st.data())
def test_a_damaged_file_has_a_position_or_none(format, data):
    found = place_taken(data.draw(damaged(written(DRESDEN, format))))
    assert found is None or (abs(found[0]) <= 90 and abs(found[1]) <= 180)


def thirds(angle: float) -> tuple[IFDRational, ...]:
    """Splits an angle as cameras do, to a hundredth of a second."""
    seconds = round(abs(angle) / CENTISECOND)
    return IFDRational(seconds // 360_000), IFDRational(seconds // 6000 % 60), IFDRational(seconds % 6000, 100)


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_a_position_that_was_written_is_read(latitude, longitude):
    fields = {LATITUDE: thirds(latitude), NORTH_SOUTH: "S" if latitude < 0 else "N"}
    fields |= {LONGITUDE: thirds(longitude), EAST_WEST: "W" if longitude < 0 else "E"}
    photo = written(fields)
    if (abs(latitude), abs(longitude)) < (CENTISECOND, CENTISECOND):
        return  # Nothing but 0, 0 is left of it.
    assert place_taken(photo) == pytest.approx((latitude, longitude), abs=CENTISECOND / 1.9)
    fields |= {LATITUDE: (IFDRational(round(abs(latitude) * 10**7), 10**7), IFDRational(0), IFDRational(0))}
    fields |= {LONGITUDE: (IFDRational(round(abs(longitude) * 10**7), 10**7), IFDRational(0), IFDRational(0))}
    assert place_taken(written(fields)) == pytest.approx((latitude, longitude), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "half", "degrees"),
    [
        ("51,3.5N", "", 51 + 3.5 / 60),
        ("51,3,30N", "", 51 + 3.5 / 60),
        ("51,3.50000000S", "", -51 - 3.5 / 60),
        ("51 deg 3' 30.00\" N", "", 51 + 3.5 / 60),
        ("51 deg 3' 30.00\"", "South", -51 - 3.5 / 60),
        ("33.451855799999997", "S", -33.451855799999997),
        ("-33.5", "S", -33.5),
        ("33.5", "", None),
        ("-33.5", "", None),
        ("-33.5", "N", None),
        ("-33.5N", "S", None),
        ("33.5S", "N", -33.5),
        ("33.5", "nowhere", None),
        ("", "N", None),
        ("N", "", None),
        ("1,2,3,4N", "", None),
        ("51,60.5N", "", None),
        ("51,3,61N", "", None),
        ("51 deg 63' 30.00\" N", "", None),
        ("nan", "N", None),
        ("inf", "N", None),
        ("1e5", "N", None),
        ("9" * 400, "N", None),
        ("9" * 20, "N", None),
        ("," * 100_000, "N", None),
        ("1," * 100_000, "N", None),
        ("1" + "," * 100_000 + "x", "N", None),
        ("٣", "N", None),
    ],
)
def test_an_angle_is_read_from_any_form_of_text(text, half, degrees):
    found = position(Angle.of_text(text, half), Angle.of_text("13.7E"))
    assert found == (None if degrees is None else pytest.approx((degrees, 13.7)))


@given(st.text(), st.text())
def test_no_text_is_more_than_a_position_or_none(text, half):
    found = position(Angle.of_text(text, half), Angle.of_text("13.7E"))
    assert found is None or abs(found[0]) <= 90


@given(latitude=st.floats(-90, 90), longitude=st.floats(-180, 180))
def test_a_position_that_is_added_to_a_photo_is_read_from_it(latitude: float, longitude: float):
    assume(abs(latitude) > 1e-6 or abs(longitude) > 1e-6)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "JPEG")
    placed = add_place(buffer.getvalue(), (latitude, longitude))
    assert place_taken(placed) == pytest.approx((latitude, longitude), abs=1e-6)
    assert strip_metadata(placed) == strip_metadata(buffer.getvalue())
    Image.open(io.BytesIO(placed)).load()


def test_an_earlier_position_is_kept_unless_there_is_a_new_one():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "JPEG")
    plain = buffer.getvalue()
    old, new = add_place(plain, (51.0, 13.0)), add_place(plain, (-33.5, 151.25))
    assert [keep_place(plain, plain), keep_place(plain, old), keep_place(new, old)] == [plain, old, new]
