"""The official lists with all their traps, written by hand."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.sources.nus_wide.config import NusWideConfig
from pipeline.sources.nus_wide.lists import read_lists
from pipeline.sources.nus_wide.owners import read_owners

CONFIG = NusWideConfig(
    urls="NUS-WIDE-urls.txt",
    all_tags="All_Tags.txt",
    image_list="Imagelist.txt",
    tag_list=None,
    owners_file=None,
    tags="lists",
    api_url="https://api.flickr.com/services/rest/",
    photo_url="https://live.staticflickr.com",
    api_rate=1.0,
    photo_rate=1.0,
    in_flight=8,
    timeout=60.0,
    attempts=4,
    backoff=1.0,
    passes=3,
    refusals=60,
    contact=None,
)
HEADING = b"%%%%%%%%%%Photo_file    Photo_id    url_Large   url_Middle   url_Small  url_Original%%%%%%%%%%\n"
FLICKR = "http://farm1.static.flickr.com/100"


def url_row(photo: int, large="null", middle="null", small="null", original="null") -> bytes:
    return (
        f"C:\\ImageData\\Flickr\\actor\\0001_{photo}.jpg     {photo}  {large}\t{middle}   {small} {original}\n".encode()
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Imagelist.txt").write_bytes(b"actor\\0001_11.jpg\r\nactor\\0002_9.jpg\r\nzebra/0003_700.JPG\n\n")
    (tmp_path / "NUS-WIDE-urls.txt").write_bytes(
        HEADING
        + url_row(11, f"{FLICKR}/11_a_b.jpg", f"{FLICKR}/11_a.jpg", f"{FLICKR}/11_a_m.jpg")
        + url_row(9, f"{FLICKR}/9_a_b.jpg", "null", f"{FLICKR}/9_a_m.jpg")
        + url_row(700)
    )
    (tmp_path / "All_Tags.txt").write_bytes("11      sky 海　空 sky \r\n9 \n700\tzebra\x85 animal\n".encode())
    return tmp_path


def test_the_official_forms_are_read(folder):
    lists = read_lists(CONFIG, folder)
    assert lists.photos.rows() == [
        ("11", ["sky", "海　空"], f"{FLICKR}/11_a.jpg"),
        ("700", ["animal", "zebra\x85"], None),
        ("9", [], f"{FLICKR}/9_a_b.jpg"),
    ]
    assert lists.problems.is_empty()


def test_a_tag_list_keeps_its_tags_alone(folder):
    (folder / "TagList1k.txt").write_bytes(b"animal\nsky\n")
    config = CONFIG.model_copy(update={"tag_list": "TagList1k.txt"})
    assert read_lists(config, folder).photos["tags"].to_list() == [["sky"], ["animal"], []]


def test_photos_listed_twice_are_merged(folder):
    for name, row in {
        "Imagelist.txt": b"zebra\\0009_11.jpg\n",
        "NUS-WIDE-urls.txt": url_row(700, middle=f"{FLICKR}/700_x.jpg"),
        "All_Tags.txt": b"9 sea\n",
    }.items():
        with (folder / name).open("ab") as file:
            file.write(row)
    lists = read_lists(CONFIG, folder)
    assert lists.photos["photo"].to_list() == ["11", "700", "9"]
    assert lists.photos["url"].to_list()[1] == f"{FLICKR}/700_x.jpg"
    assert lists.photos["tags"].to_list()[2] == ["sea"]
    assert lists.problems.rows() == [
        ("11", "listed twice", "Imagelist.txt:5"),
        ("700", "listed twice", "NUS-WIDE-urls.txt:5"),
        ("9", "listed twice", "All_Tags.txt:4"),
    ]


def test_malformed_lines_are_shown_with_file_and_number(folder):
    with (folder / "Imagelist.txt").open("ab") as file:
        file.write(b"no photo here\n")
    with (folder / "NUS-WIDE-urls.txt").open("ab") as file:
        file.write(b"a b c\n" + url_row(9).replace(b" 9 ", b" nine "))
    with (folder / "All_Tags.txt").open("ab") as file:
        file.write(b"0123 sky\n13 caf\xe9\n")
    found = read_lists(CONFIG, folder)
    assert found.photos["photo"].to_list() == ["11", "700", "9"]
    assert set(found.problems.rows()) == {
        (None, "malformed line", "Imagelist.txt:5: not the name of a photo's file"),
        (None, "malformed line", "NUS-WIDE-urls.txt:5: 3 fields, not 6"),
        (None, "malformed line", "NUS-WIDE-urls.txt:6: no photo id"),
        (None, "malformed line", "All_Tags.txt:4: no photo id"),
        (None, "malformed line", "All_Tags.txt:5: not UTF-8"),
    }


def test_photos_that_only_some_lists_have_are_told(folder):
    with (folder / "Imagelist.txt").open("ab") as file:
        file.write(b"actor\\0005_5.jpg\n")
    with (folder / "All_Tags.txt").open("ab") as file:
        file.write(b"6 sky\n")
    lists = read_lists(CONFIG, folder)
    assert lists.photos.row(1) == ("5", [], None)
    assert lists.problems.rows() == [
        ("5", "not in a list", "not in NUS-WIDE-urls.txt"),
        ("6", "not in a list", "All_Tags.txt:4: not in Imagelist.txt"),
        ("5", "not in a list", "not in All_Tags.txt"),
    ]


@pytest.mark.parametrize("name", ["Imagelist.txt", "NUS-WIDE-urls.txt", "All_Tags.txt"])
def test_a_wrong_file_is_one_sentence(folder, name):
    path = folder / name
    right = path.read_bytes()
    others = [(folder / other).read_bytes() for other in ("Imagelist.txt", "NUS-WIDE-urls.txt", "All_Tags.txt")]
    wrong = [b"", b"\n\n", b"<html>\n<body>\n", b"\x1f\x8b\x08\x00\xff\xfe" * 50, b"sky\nsea\n"]
    for content in wrong + [other for other in others if other != right]:
        path.write_bytes(content)
        with pytest.raises(InputError, match=name) as caught:
            read_lists(CONFIG, folder)
        assert len(str(caught.value).splitlines()) == 1
    path.unlink()
    with pytest.raises(InputError, match="does not exist"):
        read_lists(CONFIG, folder)
    path.mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_lists(CONFIG, folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(content=st.binary(max_size=200), name=st.sampled_from(["Imagelist.txt", "NUS-WIDE-urls.txt", "All_Tags.txt"]))
def test_no_bytes_are_more_than_an_input_error(folder, content, name):
    before = (folder / name).read_bytes()
    try:
        (folder / name).write_bytes(before + content)
        read_lists(CONFIG, folder)
        (folder / name).write_bytes(content)
        read_lists(CONFIG, folder)
    except InputError:
        pass
    finally:
        (folder / name).write_bytes(before)


def test_owners_of_both_layouts(tmp_path):
    path = tmp_path / "owners.tsv"
    path.write_bytes(
        b"photo\towner\n11\t20952812@N00\n9\t1@N02\tsky sea\r\n\n9\t1@N02\n7\tx\n7\ty\n8\t\nseven\tz\n6 1@N00\n"
    )
    owners, problems = read_owners(path)
    assert owners.rows() == [("11", "20952812@N00"), ("9", "1@N02")]
    assert problems.rows() == [
        ("9", "listed twice", "owners.tsv:5"),
        ("7", "two owners", "owners.tsv:7"),
        (None, "malformed line", "owners.tsv:8: no owner"),
        (None, "malformed line", "owners.tsv:9: no photo id"),
        (None, "malformed line", "owners.tsv:10: no tab between photo and owner"),
    ]


@pytest.mark.parametrize("content", [b"", b"11 owner\n12 owner\n", b"a\tb\nc\td\n", b"\x00\x01\x02\n"])
def test_a_file_that_holds_no_owners_is_one_sentence(tmp_path, content):
    path = tmp_path / "owners.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match="photo<TAB>owner"):
        read_owners(path)


def test_an_owners_file_that_is_absent_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_owners(tmp_path / "owners.tsv")


@pytest.mark.real
def test_the_real_rows(real_data):
    lists = read_lists(CONFIG.model_copy(update={"tag_list": "TagList1k.txt"}), real_data / "nus-wide")
    assert lists.photos.height == 1880
    assert lists.problems.is_empty()
    assert lists.photos["url"].null_count() == 0
    owners, problems = read_owners(real_data / "nus-wide" / "owners.tsv")
    assert owners.height == 1880
    assert problems.is_empty()
    assert owners["owner"].n_unique() == 1658
