"""A journal that earlier code began, days ago, is resumed by today's."""

import contextlib
import io
import sqlite3

import pytest
from PIL import ExifTags, Image

from pipeline.sources.flickr.journal import Journal
from tests.support.fake_flickr import FakePhoto, jpeg, serving
from tests.support.flickr_crawl import crawl

# As commit 50824e0 wrote it.
SCHEMA = """
CREATE TABLE photo (
    id INTEGER PRIMARY KEY, listed INTEGER NOT NULL, status TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    time INTEGER, reason TEXT NOT NULL DEFAULT '', info TEXT
);
CREATE TABLE picture (id INTEGER PRIMARY KEY, jpeg BLOB NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL);
CREATE TABLE journal (made INTEGER NOT NULL);
INSERT INTO journal VALUES (1735689600000000000);
"""
INFO = '{"owner":"1@N00","tags":[["1@N00","sea"],["2@N00","海"]],"server":"4123","secret":"818406d0cd","posted":null}'
ROWS = [
    (1, 1, "ok", 2, 1735689601, "", INFO),
    (2, 1, "not found", 1, 1735689602, "Flickr's code 1", None),
    (3, 1, "http error", 12, 1735689603, "HTTP 503", INFO),
    (4, 1, "pending retry", 4, 1735689604, "HTTP 503", INFO),
    (5, 1, "pending", 12, 1735689605, "HTTP 503", None),
    (6, 1, "pending", 0, None, "", None),
    (7, 1, "no tags", 0, None, "", None),
    (8, 0, "ok", 2, 1735689606, "", INFO),
]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "j.sqlite"
    connection = sqlite3.connect(path)
    with connection:
        connection.executescript(SCHEMA)
        connection.executemany("INSERT INTO photo VALUES (?, ?, ?, ?, ?, ?, ?)", ROWS)
        connection.executemany("INSERT INTO picture VALUES (?, ?, 64, 48)", [(1, jpeg(1)), (8, jpeg(8))])
    connection.close()
    return path


def test_an_earlier_journal_is_resumed(path):
    with serving({photo: FakePhoto() for photo in range(1, 8)}) as fake:
        rows = crawl(path, fake, never={7: "no tags"})
    statuses = {photo: row["status"] for photo, row in rows.items()}
    assert statuses == {1: "ok", 2: "not found", 3: "http error", 4: "ok", 5: "ok", 6: "ok", 7: "no tags"}
    assert fake.asked == {("image", 4): 1, ("api", 5): 1, ("image", 5): 1, ("api", 6): 1, ("image", 6): 1}
    assert rows[1] == {"photo": "1", "status": "ok", "attempts": 2, "detail": "", "info": INFO}
    with Journal.read(path) as journal:
        assert journal.picture("1").jpeg == jpeg(1)
        assert journal.info("1").tags == [("1@N00", "sea"), ("2@N00", "海")]
        assert journal.key() == "journal 1735689600000000000", "what is packed stays valid"


def test_pictures_lose_the_metadata_that_an_earlier_journal_has(path):
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[ExifTags.Base.Make] = "Secret"
    Image.open(io.BytesIO(jpeg(1))).save(buffer, "JPEG", exif=exif)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE picture SET jpeg = ? WHERE id = 1", (buffer.getvalue(),))
    with Journal.open(path) as journal:
        journal.reject_placeholders()
        picture = journal.picture("1")
    assert b"Secret" in buffer.getvalue()
    assert b"Secret" not in picture.jpeg
    assert Image.open(io.BytesIO(picture.jpeg)).size == (picture.width, picture.height) == (64, 48)


def test_photos_that_an_earlier_run_put_off_for_ever_fail_at_last(path):
    photos = {photo: FakePhoto(image=("503", "…")) for photo in range(4, 7)}
    with serving({1: FakePhoto(), 2: FakePhoto(), 3: FakePhoto(), 7: FakePhoto(), **photos}) as fake:
        rows = crawl(path, fake, never={7: "no tags"})
    assert [rows[photo]["status"] for photo in (4, 5, 6)] == ["http error"] * 3
