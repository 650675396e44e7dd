"""The formats of suggestions, and that hostile tags and names are harmless in each of them."""

import csv
import io
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.keywords.xmp import is_keyword
from project.formats import FORMATS, cell
from project.terminal import printable
from tests.support.exiftool import exiftool, needs_exiftool
from tests.support.keywords import MADE_TAGS

HOSTILE = [
    '=HYPERLINK("http://x")',
    "+1",
    "-1+cmd|' /C calc'!A0",
    "@SUM(1)",
    " =1",
    "two\nlines",
    "\x1b[2J\x1b]0;title\x07",
    "right\u202eleft",
    "zero\x00",
    'quote",comma',
    "<script>",
    "-execute",
    "#[CSTR]-o\\n/tmp/x",
    "\u2028-tagsFromFile",
]


@dataclass(frozen=True)
class Reason:
    part: str
    score: float
    words: str


@dataclass(frozen=True)
class Suggestion:
    tag: str
    score: float
    probability: float
    why: tuple[Reason, ...] = (Reason("user", 1.0, "you use it on 34 % of your photos"), Reason("bias", -0.5, ""))


def suggestions(*tags: str) -> list[Suggestion]:
    return [Suggestion(tag, 2.0 - number, 0.9 - number / 100) for number, tag in enumerate(tags)]


def test_no_suggestion_is_shown_as_certain():
    text = FORMATS["table"].photo(Path("a.jpg"), [Suggestion("cat", 1.0, 0.995), Suggestion("dog", 0.5, 0.984)])
    assert [line.split()[0] for line in text.splitlines()[1:3]] == ["99%", "98%"]


def test_the_table_is_aligned_and_says_why():
    text = FORMATS["table"].photo(Path("a.jpg"), suggestions("cat", "elephant"))
    assert text.splitlines() == [
        "a.jpg",
        "   90%  cat       you use it on 34 % of your photos",
        "   89%  elephant  you use it on 34 % of your photos",
        "",
    ]
    assert "no tag is probable enough" in FORMATS["table"].photo(Path("a.jpg"), [])


def test_csv_has_a_row_for_each_suggestion():
    text = FORMATS["csv"].head() + FORMATS["csv"].photo(Path("a.jpg"), suggestions("cat", "a,b"))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["tag"] for row in rows] == ["cat", "a,b"]
    assert rows[0] == {
        "photo": "a.jpg",
        "tag": "cat",
        "probability": "0.9000",
        "score": "2",
        "why": "you use it on 34 % of your photos",
    }


def test_json_lines_are_exact_and_hold_broken_photos_too():
    for tag in HOSTILE + MADE_TAGS:
        text = FORMATS["jsonl"].photo(Path("\udce4.jpg"), suggestions(tag))
        assert len(text.splitlines()) == 1
        assert text.isascii()
        value = json.loads(text)
        assert (value["photo"], value["suggestions"][0]["tag"]) == ("\udce4.jpg", tag)
    assert value["suggestions"][0]["why"][0] == {
        "part": "user",
        "score": 1.0,
        "words": "you use it on 34 % of your photos",
    }
    assert json.loads(FORMATS["jsonl"].broken(Path("b"), "undecodable")) == {"photo": "b", "error": "undecodable"}


@pytest.mark.parametrize("tag", HOSTILE)
@pytest.mark.parametrize("format", ["table", "csv"])
def test_hostile_tags_and_names_are_plain_text(tag, format):
    text = FORMATS[format].photo(Path(tag), suggestions(tag))
    assert all(character.isprintable() for character in text.replace("\n", ""))
    if format == "csv":
        ((path, shown, *_),) = csv.reader(io.StringIO(text))
        assert not shown.lstrip().startswith(("=", "+", "-", "@"))
        assert not path.lstrip().startswith(("=", "+", "-", "@"))
    else:
        assert len(text.splitlines()) == 3


@given(st.text())
def test_any_text_is_printable_once_escaped(text):
    assert "\n" not in printable(text)
    assert "\x1b" not in cell(text)


def test_emoji_and_joined_letters_stay():
    assert printable("👩‍👩‍👧 ✈️ می‌خواهم") == "👩‍👩‍👧 ✈️ می‌خواهم"


@needs_exiftool
def test_exiftool_adds_the_tags_once_and_does_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo = tmp_path / "-photo #1.jpg"
    Image.new("RGB", (8, 8)).save(photo)
    tags = [*MADE_TAGS, *HOSTILE, " lead", "<x", "@args"]
    text = FORMATS["exiftool"].photo(Path(photo.name), suggestions(*tags))
    (tmp_path / "arguments").write_text(text, encoding="utf-8")
    for _ in range(2):
        subprocess.run([shutil.which("exiftool"), "-overwrite_original", "-@", "arguments"], check=True)
    written = exiftool(photo)["XMP-dc:Subject"]
    assert [str(tag) for tag in written] == [tag for tag in tags if is_keyword(tag)]
    assert {path.name for path in tmp_path.iterdir()} == {photo.name, "arguments"}


def test_a_photo_whose_name_breaks_a_line_is_no_argument():
    (line,) = FORMATS["exiftool"].photo(Path("a\n-o\n/tmp/x.jpg"), suggestions("cat")).splitlines()
    assert line.startswith("# a\\n-o\\n/tmp/x.jpg is left out")
