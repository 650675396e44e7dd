"""Tables that are no text: spreadsheets, Parquet, JSON lines; told apart by content."""

import json

import polars as pl
import pytest

from pipeline.errors import InputError, SettingError
from tests.support.tables import configured, read, read_posts, tags_of, write_spreadsheet

HEADER = ["user", "photo", "tags"]


def test_spreadsheets(tmp_path):
    write_spreadsheet(tmp_path / "posts.xlsx", [], [HEADER, ["u", 7, "sea sun"], [], ["v", 12345678901234, 2017]])
    posts, _ = read_posts(configured(files=["posts.xlsx"]), tmp_path)
    assert posts.rows() == [("u", "7", ["sea", "sun"]), ("v", "12345678901234", ["2017"])]


def test_rows_of_a_spreadsheet_have_the_numbers_that_the_program_shows(tmp_path):
    write_spreadsheet(tmp_path / "posts.xlsx", [[], HEADER, ["u", "p", "sea"], [], ["v", "p", None]])
    _, left_out = read_posts(configured(files=["posts.xlsx"]), tmp_path)
    assert left_out.rows() == [("v", "p", "no tags", "posts.xlsx:5")]


def test_a_renamed_spreadsheet_is_one(tmp_path):
    """T1: XLSX renamed."""
    write_spreadsheet(tmp_path / "posts.csv", [HEADER, ["u", "p", "sea"]])
    assert len(read_posts(configured(), tmp_path)[0]) == 1


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0"])
def test_a_damaged_file_is_one_sentence(tmp_path, start):
    with pytest.raises(InputError, match=r"posts.csv cannot be read") as caught:
        read(tmp_path, start + bytes(range(200)))
    assert "\n" not in str(caught.value)


def test_json_lines(tmp_path):
    """T2: `.jsonl`."""
    rows = [
        {"user": "u", "photo": "p", "tags": ["new york", "sea"], "more": {"x": 1}},
        {"photo": "q", "user": 7, "tags": [2017, None]},
        {"photo": "r", "user": "v"},
    ]
    text = "\n\n".join(json.dumps(row) for row in rows)
    posts, left_out = read(tmp_path, text, "posts.jsonl")
    assert posts == [("7", "q", ["2017"]), ("u", "p", ["new york", "sea"])]
    assert left_out == [("v", "r", "no tags")]
    assert tags_of(tmp_path, '\ufeff{"user": "u", "photo": "p", "tags": "\\ud83d sea"}') == [["sea"]]


@pytest.mark.parametrize("line", ["[1]", '{"user": "u"', "sea"])
def test_a_line_that_is_no_object_is_found(tmp_path, line):
    with pytest.raises(InputError, match="line 2 is no JSON object"):
        read(tmp_path, f'{{"user": "u", "photo": "p", "tags": "a"}}\n{line}\n')


def test_numbers_that_became_decimals_are_whole(tmp_path):
    """T7: a user who is missing is none called NaN."""
    frame = pl.DataFrame({"user": [1.0, 2.0, float("nan"), None], "photo": [12, 13, 14, 15], "tags": ["a"] * 4})
    frame.write_parquet(tmp_path / "posts.parquet")
    posts, left_out = read_posts(configured(files=["posts.parquet"]), tmp_path)
    assert posts.rows() == [("1", "12", ["a"]), ("2", "13", ["a"])]
    assert left_out["reason"].to_list() == ["no user"] * 2
    assert left_out["detail"].to_list() == ["posts.parquet:3", "posts.parquet:4"]


def test_a_column_that_is_not_there_is_named(tmp_path):
    pl.DataFrame({"user": ["u"], "image": ["p"], "tags": ["a"]}).write_parquet(tmp_path / "posts.parquet")
    with pytest.raises(SettingError, match="has no such column, but user, image, tags") as caught:
        read_posts(configured(files=["posts.parquet"]), tmp_path)
    assert caught.value.field == "photo"
