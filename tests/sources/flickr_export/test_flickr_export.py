"""The export of an account: zip files read in place, whatever is in them."""

import json
import zipfile
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.schema import LATITUDE, LONGITUDE
from pipeline.data.shards import packed, read_photos
from pipeline.errors import InputError
from pipeline.sources.base import CrawlTask
from pipeline.sources.flickr_export import export
from pipeline.sources.flickr_export.documents import DocumentError, read_account, read_photo
from pipeline.sources.flickr_export.source import FlickrExportSource
from tests.support.fake_flickr import jpeg
from tests.support.flickr_export import ACCOUNT, PAGE, document, write_export

TAKEN = int(datetime(2013, 9, 12, 19, 37, 56, tzinfo=UTC).timestamp()) * 1000


def collected(folder, lowercase=False, place=False, **options):
    task = CrawlTask(folder, folder.with_name("photos"), folder.with_name("work"), **options)
    return FlickrExportSource(lowercase=lowercase, place=place).collect(task)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "export").mkdir()
    return tmp_path / "export"


def test_documents_and_pictures_meet_by_their_ids(folder):
    write_export(folder, {"21": document(21, ["New York", "Sea"]), "22": document(22, ["sea"])}, [21, 22, 23])
    crawled = collected(folder)
    assert crawled.posts.rows() == [("12@N00", "21", ["New York", "Sea"], TAKEN), ("12@N00", "22", ["sea"], TAKEN)]
    assert crawled.left_out.is_empty()
    assert [photo.jpeg for photo in read_photos(folder.with_name("photos"))] == [jpeg(21), jpeg(22)]
    assert collected(folder, lowercase=True).posts["tags"].to_list() == [["new york", "sea"], ["sea"]]
    assert sorted(file.name for file in folder.iterdir()) == ["72157_part1.zip", "data-download-1.zip"]


def test_an_unpacked_export_gives_the_same(folder, tmp_path):
    write_export(folder, {"21": document(21, ["sea"]), "22": document(22, ["sky"])}, [21, 22])
    zipped = collected(folder)
    unpacked = tmp_path / "unpacked/export"
    for file in folder.iterdir():
        zipfile.ZipFile(file).extractall(unpacked / file.stem)
    assert collected(unpacked).posts.equals(zipped.posts)


GEO = {"latitude": "43722273", "longitude": "-79410638", "accuracy": "16"}


@pytest.mark.parametrize(
    ("geo", "expected"),
    [
        ([GEO], (43.722273, -79.410638)),
        (GEO, (43.722273, -79.410638)),
        (GEO | {"latitude": 43722273}, (43.722273, -79.410638)),
        ([{}, GEO], (43.722273, -79.410638)),
        ([], None),
        ({}, None),
        (None, None),
        ("43722273", None),
        ([[43722273, -79410638]], None),
        ([GEO | {"latitude": "43.722273"}], None),
        ([GEO | {"latitude": "90000001"}], None),
        ([GEO | {"latitude": None}], None),
        ([GEO | {"latitude": 10**30}], None),
        ([{"latitude": "0", "longitude": "0"}], None),
    ],
)
def test_posts_have_the_place_where_the_photo_was_taken_if_wanted(folder, geo, expected):
    write_export(folder, {"21": document(21, ["sea"], geo=geo), "22": document(22, ["sea"], geo=[])}, [21, 22])
    posts = collected(folder, place=True).posts
    assert posts.schema[LATITUDE] == posts.schema[LONGITUDE] == pl.Float64
    assert posts.select(LATITUDE, LONGITUDE).rows() == [expected or (None, None), (None, None)]
    assert collected(folder).posts.columns == ["user", "photo", "tags", "time"]


def test_tags_are_the_owners_and_no_programs(folder):
    by = ["https://www.flickr.com/photos/ann", "https://www.flickr.com/people/12@N00/", "12@N00", PAGE + "21/", None]
    not_by = ["https://www.flickr.com/photos/bob/", "2@N00", "", 7, {}]
    tags = [{"tag": f"own{number}", "user": user} for number, user in enumerate(by)] + [{"tag": "own5"}]
    tags += [{"tag": f"other{number}", "user": user} for number, user in enumerate(not_by)]
    tags += [{"tag": tag, "user": PAGE} for tag in ("uploaded:by=instagram", "foursquare:venue=4b", "e\u0301te\u0301 ")]
    tags += [{"tag": "été", "user": PAGE}, {"tag": None, "user": PAGE}, "sea", None, [], {"user": PAGE}]
    write_export(folder, {"21": document(21, []) | {"tags": tags}}, [21])
    assert collected(folder).posts["tags"].to_list() == [[*(f"own{number}" for number in range(6)), "été"]]


def test_what_is_left_out_says_where_it_stands(folder):
    photos = {
        "21": document(21, ["sea"]),
        "22": document(22, []),
        "23": document(23, ["no picture"]),
        "24": document(24, ["video"]),
        "25": document(25, ["broken picture"]),
        "26": document(26, ["odd time"], date_taken="0000-00-00 00:00:00"),
    }
    write_export(folder, photos, [21, 22, 26])
    with zipfile.ZipFile(folder / "data-download-2.zip", "w") as pictures:
        pictures.writestr("clip_24.mov", b"video")
        pictures.writestr("x_25_o.jpg", b"no picture")
        pictures.writestr("photo_27.json", b"{")
    (folder / "data-download-3.zip").write_bytes(b"PK cut short")
    crawled = collected(folder)
    assert crawled.posts["photo"].to_list() == ["21", "26"]
    assert crawled.posts["time"].to_list() == [TAKEN, None]
    assert crawled.left_out.select("user", "photo", "reason", "detail").rows() == [
        (None, None, "unreadable file", "data-download-2.zip: photo_27.json: not JSON"),
        (None, None, "unreadable file", "data-download-3.zip: damaged"),
        ("12@N00", "22", "no tags", "72157_part1.zip: photo_22.json"),
        ("12@N00", "23", "no picture", "72157_part1.zip: photo_23.json"),
        ("12@N00", "24", "video", "72157_part1.zip: photo_24.json"),
        ("12@N00", "25", "not an image", "data-download-2.zip: x_25_o.jpg"),
    ]


def test_zip_files_that_overlap_count_once(folder):
    write_export(folder, {"21": document(21, ["sea"])}, [21])
    for file in list(folder.iterdir()):
        (folder / f"copy of {file.name}").write_bytes(file.read_bytes())
    assert len(collected(folder).posts) == 1


def test_names_in_zip_files_are_no_paths(folder, tmp_path):
    write_export(folder, {"21": document(21, ["sea"])}, [])
    with zipfile.ZipFile(folder / "data-download-9.zip", "w") as pictures:
        pictures.writestr("../../../out_21_o.jpg", jpeg(21))
        pictures.writestr("/etc/cron.d/photo_22.json", json.dumps(document(22, ["sea"])))
        pictures.writestr("..\\..\\x_22_o.jpg", jpeg(22))
    assert collected(folder).posts["photo"].to_list() == ["21", "22"]
    assert packed(tmp_path / "photos")["photo"].to_list() == ["21", "22"]
    assert {path.name for path in tmp_path.iterdir()} == {"export", "photos", "work"}


def test_what_grows_when_it_is_unpacked_is_not_read_to_its_end(folder, monkeypatch):
    """A zip bomb: the bound holds for what comes out, whatever the entry says."""
    monkeypatch.setattr(export, "LARGEST_DOCUMENT", 10_000)
    write_export(folder, {"21": document(21, ["sea"]), "22": document(22, ["sea"], description="x" * 10**6)}, [21])
    (left_out,) = collected(folder).left_out.rows()
    assert left_out == (None, None, "unreadable file", "72157_part1.zip: photo_22.json: more than 10,000 bytes")


@pytest.mark.parametrize("damage", ["flipped", "encrypted", "unknown compression"])
def test_a_damaged_entry_costs_no_other(folder, damage):
    write_export(folder, {"21": document(21, ["sea"]), "22": document(22, ["sea"])}, [21, 22])
    data = bytearray((folder / "data-download-1.zip").read_bytes())
    with zipfile.ZipFile(folder / "data-download-1.zip") as pictures:
        first = pictures.infolist()[0]
    start, listed = first.header_offset, data.index(b"PK\x01\x02")
    match damage:
        case "flipped":
            data[start + 30 + len(first.filename) + 100] ^= 1
        case "encrypted":
            data[start + 6] |= 1
            data[listed + 8] |= 1
        case "unknown compression":
            data[start + 8 : start + 10] = data[listed + 10 : listed + 12] = b"\x63\0"
    (folder / "data-download-1.zip").write_bytes(data)
    crawled = collected(folder)
    assert crawled.posts["photo"].to_list() == ["22"]
    assert crawled.left_out["reason"].to_list() == ["unreadable file"]


def test_without_an_account_the_user_is_the_owner_of_the_page(folder):
    for photo, owner in ((21, "ann"), (22, "bob"), (23, "")):
        page = f"https://www.flickr.com/photos/{owner}/{photo}/" if owner else None
        tags = [{"tag": "sea", "user": f"https://www.flickr.com/photos/{owner}/"}, {"tag": "sky"}]
        (folder / f"photo_{photo}.json").write_text(json.dumps(document(photo, [], photopage=page) | {"tags": tags}))
        (folder / f"{photo}_o.jpg").write_bytes(jpeg(photo))
    crawled = collected(folder)
    assert crawled.posts.select("user", "photo").rows() == [("ann", "21"), ("bob", "22")]
    assert crawled.left_out.select("photo", "reason").rows() == [("23", "no owner")]


def test_without_an_owner_nobody_elses_tags_are_the_owners(folder):
    """An author who is named by an id has no address, and neither has the photo a page: that is not the same one."""
    tags = [{"tag": "sea", "user": "12@N00"}, {"tag": "other person", "user": "99@N01"}, {"tag": "sky"}]
    write_export(folder, {"21": document(21, [], photopage=None) | {"tags": tags}}, [21])
    assert collected(folder).posts["tags"].to_list() == [["sea", "sky"]]


def test_an_export_is_recognised_by_its_documents(folder):
    write_export(folder, {"21": document(21, ["sea"]), "22": document(22, ["sea"])}, [21])
    (folder / "holiday.zip").write_bytes(b"")
    found = FlickrExportSource.recognise(folder, {})
    assert (found.folder, list(found.files), found.photos) == (folder, [], True)
    assert found.settings == {"lowercase": True}
    assert found.sentences[:2] == [
        "An export from Flickr: 2 photos, 1 of them with a picture.",
        "The account is 12@N00.",
    ]
    found = FlickrExportSource.recognise(folder / "72157_part1.zip", {"lowercase": False})
    assert [file.name for file in found.files] == ["72157_part1.zip", "data-download-1.zip"]
    assert found.settings == {"lowercase": False}


def test_other_folders_and_files_are_not_recognised(folder):
    (folder / "img_21_o.jpg").write_bytes(jpeg(21))
    (folder / "posts.csv").write_text("user,photo,tags\n")
    assert FlickrExportSource.recognise(folder, {}) is None
    assert FlickrExportSource.recognise(folder / "posts.csv", {}) is None


def test_without_pictures_there_is_one_sentence(folder):
    write_export(folder, {"21": document(21, ["sea"]), "22": document(22, [])}, [])
    with pytest.raises(InputError, match=r"no picture: 1, no tags: 1\): put its zip files there"):
        collected(folder)


def test_without_an_owner_or_tags_the_remedy_is_no_zip_file(folder):
    (folder / "photo_21.json").write_text(json.dumps(document(21, ["sea"], photopage=None)))
    (folder / "21_o.jpg").write_bytes(jpeg(21))
    with pytest.raises(InputError, match=r"\(no owner: 1\): put account_profile.json there"):
        collected(folder)
    (folder / "photo_21.json").write_text(json.dumps(document(21, [])))
    with pytest.raises(InputError, match=r"\(no tags: 1\): give photos tags at Flickr"):
        collected(folder)


def test_a_changed_zip_file_is_packed_anew(folder):
    write_export(folder, {"21": document(21, ["sea"])}, [21])
    collected(folder)
    with zipfile.ZipFile(folder / "data-download-1.zip", "w") as pictures:
        pictures.writestr("21_o.jpg", jpeg(99))
    collected(folder)
    assert [photo.jpeg for photo in read_photos(folder.with_name("photos"))] == [jpeg(99)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["\ud800", PAGE]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    key=st.sampled_from(["tags", "photopage", "date_taken", "id"]),
    value=JSON,
    tag=st.dictionaries(st.sampled_from(["tag", "user"]), JSON),
)
def test_any_json_is_a_document_or_none(key, value, tag):
    made = document(21, ["sea"]) | {key: value}
    if isinstance(made["tags"], list):
        made["tags"] = [*made["tags"], tag]
    for data in (json.dumps(made).encode(), json.dumps(value).encode()):
        try:
            read = read_photo(data, {"ann"})
        except DocumentError:
            continue
        assert "" not in read.tags
        assert read.tags == sorted(set(read.tags))


@pytest.mark.parametrize("data", [b"", b"[]", b"[" * 10**5, b"\xff\xfe", json.dumps(ACCOUNT | {"nsid": 7}).encode()])
def test_any_bytes_are_an_account_or_none(data):
    with pytest.raises(DocumentError):
        read_account(data)


@pytest.mark.real
def test_a_real_document_has_its_owners_tags(real_data):
    data = (real_data / "metadata/exports/flickr/photo_9732128037.json").read_bytes()
    read = read_photo(data, set())
    assert read.owner == "mylesbraithwaite"
    assert read.taken == TAKEN
    assert read.tags == ["Sierra", "instagram app", "iphoneography", "square", "square format"]
