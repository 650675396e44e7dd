"""Files of owners, of both layouts, with what can be wrong in them."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.sources.nus_wide.owners import read_owners


@pytest.fixture
def path(tmp_path):
    return tmp_path / "owners.tsv"


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


@pytest.mark.parametrize("first", ["photo\towner", "id\tuserid\ttags", "\ufeffphoto\towner"])
def test_a_line_of_headings_is_no_row(path, first):
    path.write_bytes(f"{first}\n11\t1@N00\n".encode())
    owners, problems = read_owners(path)
    assert owners.rows() == [("11", "1@N00")]
    assert problems.is_empty()


def test_headings_alone_are_an_empty_file(path):
    path.write_bytes(b"photo\towner\n")
    with pytest.raises(InputError, match="is empty"):
        read_owners(path)


def test_a_first_line_with_a_photo_is_no_heading(path):
    path.write_bytes(b"11\t\n9\t1@N00\n")
    owners, problems = read_owners(path)
    assert owners.rows() == [("9", "1@N00")]
    assert problems.rows() == [(None, "malformed line", "owners.tsv:1: no owner")]


@pytest.mark.parametrize("owner", [b"", b"  ", b"a\x00b", b"a\x1b[31m", b"a\xc2\x85b", b"caf\xe9"])
def test_an_owner_is_text_without_control_characters(path, owner):
    path.write_bytes(b"9\t1@N00\n11\t" + owner + b"\n")
    owners, problems = read_owners(path)
    assert owners["photo"].to_list() == ["9"]
    assert problems["reason"].to_list() == ["malformed line"]


def test_tabs_alone_part_the_columns(path):
    path.write_bytes("11\t Ann  of\u3000Kew \tsky\tsea\n".encode())
    assert read_owners(path)[0].rows() == [("11", "Ann of Kew")]  # Normalised like all names.


def test_a_folder_is_no_file_of_owners(path):
    path.mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_owners(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    content=st.lists(st.sampled_from([b"11", b"9", b"\t", b"\n", b"\r", b"\xff", b" ", b"a", b"\x85"])).map(b"".join)
)
def test_no_bytes_are_more_than_an_input_error(path, content):
    path.write_bytes(b"11\t1@N00\n" + content)
    try:
        owners, problems = read_owners(path)
    except InputError:
        return
    assert owners["photo"].is_unique().all()
    assert problems.null_count().row(0)[1:] == (0, 0)


@pytest.mark.real
def test_the_real_owners(real_data):
    owners, problems = read_owners(real_data / "nus-wide" / "owners.tsv")
    assert owners.height == 1880
    assert problems.is_empty()
    assert owners["owner"].n_unique() == 1658
    assert ("2171575576", "20952812@N00") in owners.rows()
