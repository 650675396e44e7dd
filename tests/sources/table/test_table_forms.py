"""Tables that are not text: spreadsheets, Parquet, JSON lines; told apart by content."""

import json
import zipfile

import polars as pl
import pytest

from pipeline.errors import InputError, SettingError
from pipeline.sources.table import forms
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


@pytest.mark.parametrize("place", ["XFD1048576", "Z1048576"])
def test_a_cell_far_from_the_others_is_found(tmp_path, place):
    """A sheet is read up to its last cell: memory ran out for a file of a few kB."""
    stray = f'sea</t></is></c></row><row r="1048576"><c r="{place}" t="inlineStr"><is><t>x'
    write_spreadsheet(tmp_path / "posts.csv", [HEADER, ["u", "p", stray]])
    with pytest.raises(InputError, match=r"posts.csv has a cell in row 1,048,576 .* far from the others: delete it"):
        read_posts(configured(), tmp_path)


def test_a_spreadsheet_that_holds_far_more_than_its_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(forms, "ALWAYS_ALLOWED", 100_000)
    write_spreadsheet(tmp_path / "plain.xlsx", [HEADER, ["u", "p", "sea" * 100_000]])
    with zipfile.ZipFile(tmp_path / "plain.xlsx") as plain, zipfile.ZipFile(tmp_path / "posts.csv", "w") as small:
        for name in plain.namelist():
            small.writestr(name, plain.read(name), zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match=r"posts.csv is compressed to less than 1/100 of its size"):
        read_posts(configured(), tmp_path)


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
    with pytest.raises(InputError, match="line 2 is not a JSON object"):
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
