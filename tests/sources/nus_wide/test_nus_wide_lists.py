"""The official lists with all their traps, written by hand."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.sources.nus_wide.config import NusWideConfig
from pipeline.sources.nus_wide.lists import read_lists

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
    (tmp_path / "All_Tags.txt").write_bytes("11      sky 海　空 sky \r\n9 \n700\tzebra\u2028 animal\n".encode())
    return tmp_path


def test_the_official_forms_are_read(folder):
    lists = read_lists(CONFIG, folder)
    assert lists.photos.rows() == [
        ("11", ["sky", "海　空"], f"{FLICKR}/11_a.jpg"),
        ("700", ["animal", "zebra\u2028"], None),
        ("9", [], f"{FLICKR}/9_a_b.jpg"),
    ]
    assert lists.problems.is_empty()


@pytest.mark.parametrize(
    "odd", [b"caf\xe9", b"a\0b", b"\x1b[31m", "zebra\x85".encode(), b"x" * 256, "海".encode() * 256, b"\xed\xa0\x80"]
)
def test_a_tag_that_is_none_costs_the_photo_no_other(folder, odd):
    (folder / "All_Tags.txt").write_bytes(b"11 sky " + odd + b" sea " + odd + b"\n9 " + b"x" * 255 + b"\n700\n")
    lists = read_lists(CONFIG, folder)
    assert lists.photos["tags"].to_list() == [["sea", "sky"], [], ["x" * 255]]
    assert lists.problems.rows() == [("11", "odd tag", "All_Tags.txt:1: 2 left out")]


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
        ("13", "odd tag", "All_Tags.txt:5: 1 left out"),
        ("13", "not in a list", "All_Tags.txt:5: not in Imagelist.txt"),
    }


def test_photos_that_only_some_lists_have_are_problems(folder):
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


@pytest.mark.parametrize("name", ["Imagelist.txt", "NUS-WIDE-urls.txt", "All_Tags.txt"])
def test_a_byte_order_mark_is_no_part_of_the_first_line(folder, name):
    before = read_lists(CONFIG, folder)
    (folder / name).write_bytes(b"\xef\xbb\xbf" + (folder / name).read_bytes())
    after = read_lists(CONFIG, folder)
    assert after.photos.equals(before.photos)
    assert after.problems.is_empty()


@pytest.mark.parametrize(
    ("large", "middle", "small", "original", "expected"),
    [
        ("l", "m", "s", "o", "m"),
        ("l", "null", "s", "o", "l"),
        ("null", "null", "s", "o", "s"),
        ("null", "null", "null", "o", "o"),
        ("null", "null", "null", "null", None),
    ],
)
def test_the_address_is_the_first_in_the_order_of_choice(folder, large, middle, small, original, expected):
    path = folder / "NUS-WIDE-urls.txt"
    path.write_bytes(HEADING + url_row(11, large, middle, small, original) + url_row(9) + url_row(700))
    assert read_lists(CONFIG, folder).photos["url"].to_list() == [expected, None, None]


def test_the_largest_id_fits_in_64_bits(folder):
    largest = 2**63 - 1
    (folder / "Imagelist.txt").write_bytes(b"actor\\0001_%d.jpg\nactor\\0002_%d.jpg\n" % (largest, largest + 1))
    lists = read_lists(CONFIG, folder)
    assert lists.photos["photo"].to_list() == [str(largest)]
    assert lists.problems.row(0) == (None, "malformed line", "Imagelist.txt:2: no photo id")


def test_tags_are_sorted_by_code_point_and_united(folder):
    (folder / "All_Tags.txt").write_bytes("9 z é Z 海 a 😀 a\x0bb\x0c\n11\n700\n9 é b c\n".encode())
    assert read_lists(CONFIG, folder).photos["tags"].to_list()[2] == ["Z", "a", "b", "c", "z", "é", "海", "😀"]


def test_photos_without_a_tag_are_rows(folder):
    (folder / "All_Tags.txt").write_bytes(b"9\n11 \n700\t\n")
    lists = read_lists(CONFIG, folder)
    assert lists.photos["tags"].to_list() == [[], [], []]
    assert lists.problems.is_empty()


def test_fewer_than_half_of_the_lines_tell_another_file(folder):
    path = folder / "Imagelist.txt"
    path.write_bytes(b"actor\\0001_11.jpg\n\n\nsky\n")
    assert read_lists(CONFIG, folder).photos["photo"].to_list() == ["11"]
    path.write_bytes(b"actor\\0001_11.jpg\n\n\nsky\x1b[31m\nsea\n")
    with pytest.raises(InputError, match="is not NUS-WIDE's list of images") as caught:
        read_lists(CONFIG, folder)
    assert r"line 4 is 'sky\x1b[31m'" in str(caught.value)


def test_headings_alone_are_an_empty_list(folder):
    (folder / "NUS-WIDE-urls.txt").write_bytes(HEADING * 2)
    with pytest.raises(InputError, match=r"NUS-WIDE-urls\.txt is empty"):
        read_lists(CONFIG, folder)


@pytest.mark.real
def test_the_real_rows(real_data):
    lists = read_lists(CONFIG.model_copy(update={"tag_list": "TagList1k.txt"}), real_data / "nus-wide")
    assert lists.photos.height == 1880
    assert lists.problems.is_empty()
    assert lists.photos["url"].null_count() == 0
    first = (
        "100048476",
        ["architecture", "big", "lights", "london", "perspective"],
        "http://farm4.static.flickr.com/1787/100048476_33aa324370.jpg",
    )
    assert lists.photos.row(0) == first
