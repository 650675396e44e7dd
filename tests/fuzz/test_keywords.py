"""Photos and sidecars with random changes: they give keywords, or the reason why there are none."""

import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.keywords.embedded import read_photo
from pipeline.keywords.metadata import FLAT, IPTC, PIPED, WINDOWS, KeywordError
from pipeline.keywords.sidecars import read_sidecar
from pipeline.sources.flickr_export import documents
from tests.support.fuzzing import damaged, fuzz, limited
from tests.support.hostile import JSON, places, replaced
from tests.support.keyword_files import subject, write_photo
from tests.support.keywords import DARKTABLE

WORDS = {FLAT: ["sea", "sky"], PIPED: ["animal|cat"], IPTC: ["beach"], WINDOWS: ["sun"]}
TAKEOUT = {
    "title": "a.jpg",
    "description": "x",
    "photoTakenTime": {"timestamp": "1278473496"},
    "people": [{"name": "x"}],
    "geoData": {"latitude": 0.0, "longitude": 0.0},
    "geoDataExif": {"latitude": 51.5, "longitude": -0.25},
}
EXIFTOOL = [
    {"SourceFile": "a.jpg", "Subject": ["sea", 1], "Keywords": "sky", "DateTimeOriginal": "2010:07:06 20:31:36"}
    | {"GPSLatitude": 51.5, "GPSLatitudeRef": "N", "GPSLongitude": "0 deg 15' W"}
]
HYDRUS = ["sea", "creator:ann"]
PHOTOPRISM = (
    "UID: x\nTakenAt: 2010-07-06T20:31:36Z\nPlaceSrc: meta\nLat: 51.5\nLng: -0.25\nDetails:\n  Keywords: sea, sky\n"
)
SIDECARS = {
    "a.jpg.xmp": DARKTABLE.encode(), "a.xmp": subject("sea", "sky"), "a.jpg.json": json.dumps(TAKEOUT).encode(),
    "a.json": json.dumps(EXIFTOOL).encode(), "a.jpg.txt": b"sea\nsky\n", "a.yml": PHOTOPRISM.encode(),
}  # fmt: skip
FLICKR = {"id": "1", "name": "x", "date_taken": "2010-07-06 20:31:36", "tags": [{"tag": "sea", "user": "1@N00"}]}
FLICKR |= {"geo": [{"latitude": "43722273", "longitude": "-79410638"}]}
PLACE = {
    f"GPSInfo_GPS{name}": value
    for name, value in {
        "Latitude": "51/1 3/1 30/1",
        "LatitudeRef": "N",
        "Longitude": "13/1 45/1 0/1",
        "LongitudeRef": "E",
    }.items()
}


def is_position(position: tuple[float, float] | None) -> bool:
    return position is None or (abs(position[0]) <= 90 and abs(position[1]) <= 180)


@fuzz(80)
@given(name=st.sampled_from(list(SIDECARS)), data=st.data())
def test_a_sidecar_has_keywords_or_a_reason(tmp_path_factory, name, data):
    content = data.draw(damaged(SIDECARS[name]))
    if name.endswith(".json") and data.draw(st.booleans()):
        value = json.loads(SIDECARS[name])
        value = replaced(value, data.draw(st.sampled_from(list(places(value)))), data.draw(JSON))
        content = json.dumps(value).encode()
    file = tmp_path_factory.getbasetemp() / name
    file.write_bytes(content)
    try:
        with limited():
            found = read_sidecar(file, "a.jpg")
    except KeywordError as error:
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < 500
    else:
        assert found is None or all(isinstance(word, str) for words in found[1].keywords.values() for word in words)
        assert found is None or is_position(found[1].position)


@fuzz(60)
@given(suffix=st.sampled_from([".jpg", ".png", ".webp", ".tif"]), data=st.data())
def test_a_photo_has_keywords_or_a_reason(tmp_path_factory, suffix, data):
    file = write_photo(tmp_path_factory.getbasetemp() / f"photo{suffix}", WORDS, Image_Artist="Ann", **PLACE)
    file.write_bytes(data.draw(damaged(file.read_bytes())))
    try:
        with limited():
            found = read_photo(file)
    except KeywordError as error:
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < 500
    else:
        assert all(isinstance(word, str) for words in found.keywords.values() for word in words)
        assert is_position(found.position)


@fuzz(60)
@given(place=st.sampled_from(list(places(FLICKR))), value=JSON)
def test_a_document_of_flickrs_export_is_read_or_refused(place, value):
    try:
        with limited():
            documents.read_photo(json.dumps(replaced(FLICKR, place, value)).encode(), {"1@N00"})
    except documents.DocumentError as error:
        assert len(str(error)) < 500
