"""Files beside a photo: which belong to it, which holds, and what a broken one costs."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.keywords.metadata import FLAT, IPTC, PIPED, WINDOWS, KeywordError, Metadata
from pipeline.keywords.reading import INSIDE, PhotoTask, read
from pipeline.keywords.sidecars import SIDECARS, read_sidecar
from tests.support.keyword_files import subject, write_photo

NAMES = ("SourceFile", "Keywords", "XPKeywords", "DateTimeOriginal", "photoTakenTime", "timestamp", "metadata", "tags")
NAMES += ("GPSLatitude", "GPSLatitudeRef", "geoData", "latitude", "longitude")
TAKEOUT = {"title": "a.jpg", "photoTakenTime": {"timestamp": "1696573800"}, "people": [{"name": "Katie"}]}


def sidecar(tmp_path: Path, name: str, text: str | bytes, photo: str = "a.jpg") -> tuple[str, Metadata] | None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_sidecar(tmp_path / name, photo)


@pytest.mark.parametrize("name", ["a.jpg.xmp", "a.xmp", "A.XMP"])
def test_sidecars_of_both_names_in_any_case(tmp_path, name):
    assert sidecar(tmp_path, name, subject("sea")) == ("XMP sidecars", Metadata({FLAT: ["sea"]}))


def test_json_of_exiftool_has_fields_with_or_without_their_groups(tmp_path):
    row = {"SourceFile": "x/a.jpg", "IPTC:Keywords": ["old"], "XMP:Subject": [2021, True, "sea"], "EXIF:Artist": "Ann"}
    row |= {"EXIF:DateTimeOriginal": "1970:01:01 01:00:01", "EXIF:OffsetTimeOriginal": "+01:00"}
    expected = Metadata({FLAT: ["2021", "true", "sea"]}, "Ann", 1000)
    assert sidecar(tmp_path, "a.jpg.json", json.dumps([row])) == ("JSON of ExifTool", expected)
    row = {"SourceFile": "a.jpg", "Keywords": "sea", "HierarchicalSubject": ["x|y"], "XPKeywords": "a;b"}
    expected = Metadata({IPTC: ["sea"], PIPED: ["x|y"], WINDOWS: ["a", "b"]})
    others = [{"SourceFile": "b.jpg", "Keywords": "other"}, row]
    assert sidecar(tmp_path, "a.json", json.dumps(others)) == ("JSON of ExifTool", expected)


@pytest.mark.parametrize(
    "fields",
    [
        {"EXIF:GPSLatitude": 51.5, "EXIF:GPSLatitudeRef": "N", "EXIF:GPSLongitude": 0.25, "EXIF:GPSLongitudeRef": "W"},
        {"XMP:GPSLatitude": "51 deg 30' 0.00\" N", "XMP:GPSLongitude": "0 deg 15' 0.00\" W"},
        {"GPSLatitude": "51 deg 30'", "GPSLatitudeRef": "North", "GPSLongitude": -0.25, "GPSLongitudeRef": "West"},
    ],
)
def test_json_of_exiftool_has_the_place_in_all_its_forms(tmp_path, fields):
    rows = [{"SourceFile": "a.jpg"} | fields]
    assert sidecar(tmp_path, "a.json", json.dumps(rows))[1].position == (51.5, -0.25)


@pytest.mark.parametrize(
    ("status", "known"),
    [("A", True), ("V", False), ("Measurement Active", True), ("Measurement Void", False)],
)
def test_json_of_exiftool_has_no_place_that_is_void(tmp_path, status, known):
    row = {"SourceFile": "a.jpg", "GPSLatitude": 51.5, "GPSLatitudeRef": "N", "GPSLongitude": 0.25}
    row |= {"GPSLongitudeRef": "W", "EXIF:GPSStatus": status}
    assert sidecar(tmp_path, "a.json", json.dumps([row]))[1].position == ((51.5, -0.25) if known else None)


@pytest.mark.parametrize(
    ("latitude", "half"),
    [(51.5, ""), ("", "N"), ([], "N"), ({"a": 1}, "N"), (None, "N"), (True, "N"), (91, "N"), (51, [])],
)
def test_json_of_exiftool_with_anything_else_has_no_place(tmp_path, latitude, half):
    row = {"SourceFile": "a.jpg", "GPSLatitude": latitude, "GPSLatitudeRef": half}
    row |= {"GPSLongitude": 0.25, "GPSLongitudeRef": "W"}
    assert sidecar(tmp_path, "a.json", json.dumps([row]))[1].position is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"geoData": {"latitude": 51.5, "longitude": -0.25}, "geoDataExif": {"latitude": 1, "longitude": 2}},
            (51.5, -0.25),
        ),
        ({"geoData": {"latitude": 0.0, "longitude": 0.0}, "geoDataExif": {"latitude": 1, "longitude": 2}}, (1, 2)),
        ({"geoData": {"latitude": 0.0, "longitude": 0.0}}, None),
        ({"geoData": {"latitude": "51.5", "longitude": -0.25}}, None),
        ({"geoData": {"latitude": True, "longitude": 1}}, None),
        ({"geoData": {"latitude": 10**400, "longitude": 1}}, None),
        ({"geoData": {"latitude": float("nan"), "longitude": 1}}, None),
        ({"geoData": {"latitude": 51.5}}, None),
        ({"geoData": [51.5, 1]}, None),
    ],
)
def test_takeouts_json_has_the_place_where_it_is_known(tmp_path, fields, expected):
    assert sidecar(tmp_path, "a.jpg.json", json.dumps(TAKEOUT | fields))[1].position == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("Lat: 57.7\nLng: 11.95\nPlaceSrc: meta", (57.7, 11.95)),
        ("Lat: 57.7\nLng: 11.95\nPlaceSrc: estimate", None),
        ("Lat: 57.7\nLng: 11.95\nPlaceSrc: [meta]", None),
        ("Lat: 57.7\nLng: 11.95", None),
        ("Lat: north\nLng: .nan\nPlaceSrc: meta", None),
    ],
)
def test_the_place_of_photoprism_counts_where_it_is_not_its_own_guess(tmp_path, lines, expected):
    text = f"TakenAt: 1970-01-01T00:00:01Z\n{lines}\nDetails:\n  Keywords: boat\n"
    assert sidecar(tmp_path, "a.yml", text)[1].position == expected


@pytest.mark.parametrize("file", ["a.jpg", "A.HEIC", "./x/a.CR2", "C:\\x\\a.jpg"])
def test_json_of_exiftool_names_the_photo_or_the_file_that_it_was_made_from(tmp_path, file):
    rows = [{"SourceFile": file, "Subject": "sea"}, {"SourceFile": "b.jpg", "Subject": "other"}]
    assert sidecar(tmp_path, "a.json", json.dumps(rows))[1].keywords == {FLAT: ["sea"]}
    if file != "a.jpg":
        rows.append({"SourceFile": "a.png", "Subject": "other"})
        assert sidecar(tmp_path, "a.json", json.dumps(rows), "a.png")[1].keywords == {FLAT: ["other"]}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (["x/b.jpg"], "is of other files, such as 'x/b.jpg'"),
        (["x" * 200, "b.jpg"], f"is of other files, such as '{'x' * 100}'"),
        (["x/a.jpg", "y/a.jpg"], "has 2 rows of this photo"),
    ],
)
def test_json_of_exiftool_on_another_photo_is_refused(tmp_path, files, reason):
    rows = [{"SourceFile": file, "Subject": "other"} for file in files]
    with pytest.raises(KeywordError) as caught:
        sidecar(tmp_path, "a.jpg.json", json.dumps(rows))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("photo", "name"),
    [
        ("a.jpg", "a.jpg.json"),
        ("a.jpg", "a.jpg.supplemental-metadata.json"),
        ("a.jpg", "a.jpg.supplemental-me.json"),
        ("a(1).jpg", "a.jpg(1).json"),
        ("a(1).jpg", "a.jpg.supplemental-metadata(1).json"),
        ("a-edited.jpg", "a.jpg.json"),
        (f"{'x' * 44}.jpg", f"{'x' * 44}.j.json"),
    ],
)
def test_takeouts_json_has_the_time_and_no_keywords(tmp_path, photo, name):
    found = sidecar(tmp_path, name, json.dumps(TAKEOUT), photo)
    assert found == ("JSON of Google Takeout", Metadata(time=1_696_573_800_000))


def test_hydrus_json_and_a_keyword_a_line(tmp_path):
    assert sidecar(tmp_path, "a.jpg.json", '{"metadata": {"tags": ["blue sky", " "]}}')[1].keywords == {
        FLAT: ["blue sky"]
    }
    assert sidecar(tmp_path, "a.jpg.txt", "blue sky\r\n\r\nsea\n")[1].keywords == {FLAT: ["blue sky", "sea"]}


@pytest.mark.parametrize(("source", "expected"), [("meta", {FLAT: ["boat", "sea"]}), ('""', {})])
def test_keywords_of_photoprism_count_where_they_are_not_its_own_guesses(tmp_path, source, expected):
    text = f"TakenAt: 1970-01-01T00:00:01Z\nDetails:\n  Keywords: boat, sea\n  KeywordsSrc: {source}\n"
    assert sidecar(tmp_path, "a.yml", text)[1] == Metadata(expected, time=1000)


@pytest.mark.parametrize("text", ["[]", "{}", '{"a": 1}', "[1]", '[{"a": 1}]', "null", '{"metadata": []}'])
def test_json_of_another_kind_says_nothing(tmp_path, text):
    assert sidecar(tmp_path, "a.jpg.json", text) is None


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.xmp", b"", "is empty"),
        ("a.xmp", b"<a>", "is not XMP"),
        ("a.jpg.json", b"", "is empty"),
        ("a.jpg.json", b"{", "is not JSON"),
        ("a.jpg.json", b"[" * 100_000, "is not JSON"),
        ("a.jpg.txt", b"\xff", "is neither UTF-8 nor UTF-16"),
        ("a.yml", b"a: [", "is not YAML"),
        ("a.yml", b"TakenAt: 2020-00-00T00:00:00Z", "is not YAML"),
        ("a.yml", b"Details: " + b"9" * 5000, "is not YAML"),
    ],
)
def test_a_broken_sidecar_is_a_reason_that_names_it(tmp_path, name, text, reason):
    (tmp_path / name).write_bytes(text)
    photo = write_photo(tmp_path / "a.jpg", {FLAT: ["sea"]})
    with pytest.raises(KeywordError) as caught:
        read(PhotoTask(str(photo), [(str(tmp_path / name), "a.jpg")]))
    assert caught.value.reason == f"{name} {reason}"


def test_an_empty_text_has_no_keywords(tmp_path):
    assert sidecar(tmp_path, "a.jpg.txt", "")[1] == Metadata()


def test_an_enormous_sidecar_is_not_read(tmp_path):
    with (tmp_path / "a.xmp").open("wb") as file:
        file.truncate(100 * 1024**2)
    with pytest.raises(KeywordError, match="larger"):
        read_sidecar(tmp_path / "a.xmp", "a.jpg")


def test_a_sidecar_with_keywords_holds_in_place_of_the_photos_own(tmp_path):
    photo = write_photo(tmp_path / "a.jpg", {FLAT: ["embedded"]}, Image_Artist="Ann")
    files = [(str(tmp_path / name), "a.jpg") for name in ("a.jpg.xmp", "a.xmp", "a.jpg.json")]
    for (file, _), data in zip(files, (subject("long"), subject("short"), json.dumps(TAKEOUT).encode()), strict=True):
        Path(file).write_bytes(data)

    def reading(*sidecars):
        found = read(PhotoTask(str(photo), sidecars))
        return found.metadata.keywords[FLAT], found.place, found.metadata.artist, found.metadata.time

    assert reading() == (["embedded"], INSIDE, "Ann", None)
    assert reading(files[2]) == (["embedded"], INSIDE, "Ann", 1_696_573_800_000)
    assert reading(files[1], files[2]) == (["short"], "XMP sidecars", "Ann", 1_696_573_800_000)
    assert reading(*files) == (["long"], "XMP sidecars", "Ann", 1_696_573_800_000)
    (tmp_path / "a.xmp").write_bytes(subject())
    assert reading(files[1])[0] == ["embedded"], "a sidecar without keywords, as darktable writes for other edits"


def test_a_photo_that_cannot_be_read_has_the_keywords_of_its_sidecar(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "a.xmp").write_bytes(subject("sea"))
    assert read(PhotoTask(str(tmp_path / "a.jpg"), [(str(tmp_path / "a.xmp"), "a.jpg")])).metadata.keywords
    with pytest.raises(KeywordError, match="cannot be read"):
        read(PhotoTask(str(tmp_path / "a.jpg"), []))


def test_every_kind_has_a_title():
    assert len({kind.title for kind in SIDECARS}) == len(SIDECARS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(), values),
    max_leaves=8,
)


@given(JSON | st.lists(st.dictionaries(st.sampled_from(NAMES), JSON).map({"SourceFile": "a.jpg"}.__or__), max_size=2))
def test_no_json_whatever_it_holds_is_more_than_keywords_or_nothing_or_a_reason(value):
    data = json.dumps(value).encode()
    for kind in SIDECARS:
        if kind.suffix == ".json":
            with suppress(KeywordError):
                found = kind.read(data, "a.jpg")
                assert found is None or all(map(str, found.keywords.values()))


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_no_bytes_are_more_than_keywords_or_a_reason(data):
    for kind in SIDECARS:
        with suppress(KeywordError):
            kind.read(data, "a.jpg")
