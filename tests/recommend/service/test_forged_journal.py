"""A forged journal, all of whose seals are right: it is refused in a sentence, and no file leaves its folder."""

import io
import json
import re
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image
from typer.testing import CliRunner

from commands import accepted
from pipeline.errors import InputError
from pipeline.files.rows import seal_rows
from pipeline.recommend.service.forms import TABLES
from pipeline.recommend.service.journal import FullJournalError, HeldPhoto, Journal, Post
from tests.support.fake_recommender import FakeRecommender, photo_of
from tests.support.service import hash_of, running_service

RED = photo_of("red")
HASH = hash_of(RED)
PHOTO = HeldPhoto(HASH, RED, {"colour": np.array([220, 30, 30], np.float32)}, 7000)
NETWORKS = FakeRecommender().fingerprint
DIMENSIONS = FakeRecommender().dimensions


def encoded(size: tuple[int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, "red").save(stream, "JPEG")
    return stream.getvalue()


def is_jpeg_file(data: bytes | str) -> bool:
    return isinstance(data, bytes) and data.startswith(b"\xff\xd8") and data.endswith(b"\xff\xd9")


@pytest.fixture
def path(tmp_path):
    with Journal.open(tmp_path / "journal.sqlite", NETWORKS) as journal:
        journal.accept(Post("12345678", "ann", HASH, "a.jpg", ("sea",), (("sea", 0.5),)), PHOTO)
    return tmp_path / "journal.sqlite"


def forge(path, change: str, *values: object) -> None:
    """Changes a journal, with the seals that its rows then have."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for table in TABLES:
            seal_rows(connection, table)
        connection.execute(change, values)


def refusal(path) -> str:
    """The sentence by which both commands refuse a journal."""
    table = path.with_name("posts.csv")
    done = CliRunner().invoke(accepted.app, ["--csv", str(table), "--journal", str(path)])
    assert (done.exit_code, table.exists()) == (1, False)
    assert done.stderr.startswith(f"Error: {path} ")
    assert done.stderr.count("\n") == 1
    with pytest.raises(InputError, match=re.escape(str(path))), Journal.open(path, NETWORKS, dimensions=DIMENSIONS):
        pass
    return done.stderr


@pytest.mark.parametrize("name", ["/tmp/abs", "../out", "", HASH[:-1], f"{HASH}\0/../x", f"{HASH}\n", HASH.upper(), 7])
def test_the_name_of_a_photo_becomes_no_path(path, tmp_path, name):
    forge(path, "UPDATE post SET photo = ?", name)
    forge(path, "UPDATE photo SET hash = ?", name)
    assert "DELETE FROM post WHERE rowid = 1" in refusal(path)
    assert not list(tmp_path.rglob("*.jpg"))


@pytest.mark.parametrize("jpeg", [b"#!/bin/sh", b"", RED[: len(RED) // 2], "text", 7])
def test_bytes_that_are_no_photo_are_not_written(path, tmp_path, jpeg):
    forge(path, "UPDATE photo SET jpeg = ?", jpeg)
    arguments = ["--csv", tmp_path / "posts.csv", "--photos", tmp_path / "photos", "--journal", path]
    done = CliRunner().invoke(accepted.app, [str(each) for each in arguments])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "The photo 'a.jpg' in the journal is damaged" in done.stderr
    assert not list(tmp_path.rglob("*.jpg"))
    with Journal.open(path, NETWORKS, dimensions=DIMENSIONS) as journal:
        held = journal.photo(HASH)
    assert held is None or isinstance(held.jpeg, bytes)


NO_PHOTOS = {
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "nothing": b"",
    "one pixel": encoded((1, 1)),
    "a line": encoded((60_000, 40)),
    "cut": RED[: len(RED) // 2],
    "cut but ended": RED[: len(RED) // 2] + b"\xff\xd9",
    "text": "text",
}


@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("jpeg", NO_PHOTOS.values(), ids=NO_PHOTOS.keys())
def test_what_is_no_photo_is_not_there(path, tmp_path, jpeg, seen, caplog):
    forge(path, "UPDATE photo SET jpeg = ?", jpeg)
    if not seen:
        forge(path, "DELETE FROM vectors")
    with running_service(FakeRecommender(), tmp_path) as client:
        if not seen or not is_jpeg_file(jpeg):
            (answer,) = client.post("api/suggest", json={"photos": [HASH], "user": "ann"}).json()["photos"]
            assert (answer["suggestions"], answer["error"]) == ([], "not held: send the photo")
            assert client.get(f"api/photos/{HASH}").status_code == 404
            assert client.accept(RED, ["sun"]).status_code == 404
        # The page sends it again.
        assert client.tags_for(RED, user="ann", count=1) == [["red"]]
        assert client.accept(RED, ["sun"]).status_code == 201
        assert client.get(f"api/photos/{HASH}").content.startswith(b"\xff\xd8")
    assert "Traceback" not in caplog.text
    with Journal.open(path, NETWORKS) as journal:
        assert [Image.open(io.BytesIO(kept)).size for _, kept in journal.photos()] == [Image.open(io.BytesIO(RED)).size]


@pytest.mark.parametrize("change", ["photo SET jpeg", "vectors SET numbers"])
def test_text_that_is_not_utf_8_is_a_damaged_photo(path, change):
    forge(path, f"UPDATE {change} = CAST(x'ff' AS TEXT)")
    with Journal.open(path, NETWORKS) as journal:
        assert journal.photo(HASH) is None


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TRIGGER evil AFTER INSERT ON post BEGIN DELETE FROM post; END",
        "CREATE VIEW evil AS SELECT * FROM post",
        "CREATE TABLE evil (x)",
        "CREATE INDEX evil ON post (abs(time))",
        "ALTER TABLE post ADD COLUMN evil TEXT",
        "ALTER TABLE post ADD COLUMN evil TEXT AS (upper(user))",
        "ALTER TABLE taken ADD COLUMN evil TEXT DEFAULT 'x'",
    ],
)
def test_a_schema_with_anything_else_is_refused(path, change):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(change)
    assert "is not a journal (its " in refusal(path)


def test_a_table_in_other_words_is_refused(tmp_path):
    path = tmp_path / "journal.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photo (hash TEXT PRIMARY KEY CHECK (hash != 'x'), jpeg BLOB NOT NULL)")
        connection.execute("PRAGMA user_version = 1")
    assert "its table 'photo' does not have a journal's columns" in refusal(path)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("post", "number", 2**63 - 1),
        ("post", "number", 2**52),
        ("post", "number", -1),
        ("post", "id", b"12345678"),
        ("post", "user", b"ann"),
        ("post", "user", "ann\nbob"),
        ("post", "user", "ann\n"),
        ("post", "user", ""),
        ("post", "user", "x" * 256),
        ("post", "name", "x" * 256),
        ("post", "name", "a\0.jpg"),
        ("post", "name", b"a.jpg"),
        ("post", "time", "abc"),
        ("post", "time", 9e999),
        ("post", "time", 1.5),
        ("post", "time", 2**63 - 1),
        ("post", "time", 253402300799),  # The year 9999.
        ("post", "time", -62135596800),  # The year 1.
        ("taken", "milliseconds", "abc"),
        ("taken", "milliseconds", 9e999),
        ("taken", "milliseconds", 2**63 - 1),
        ("taken", "photo", "abc"),
        ("post", "tags", "nope"),
        ("post", "tags", b'["sea"]'),
        ("post", "tags", '{"a": 1}'),
        ("post", "tags", "[[1], null]"),
        ("post", "tags", '["a\\u0000b"]'),
        ("post", "tags", '["\\ud800"]'),
        ("post", "tags", "[" * 100_000),
        ("post", "tags", "[ ]"),
        ("post", "tags", '["sea","sun"]'),
        ("post", "tags", '["sea", "sea"]'),
        ("post", "tags", json.dumps(["x" * 256])),
        ("post", "tags", json.dumps([f"tag{number}" for number in range(101)])),
        ("post", "shown", json.dumps([["sea", 0.5]] * 201)),
        ("post", "shown", json.dumps([["x" * 256, 0.5]])),
        ("post", "shown", "nope"),
        ("post", "shown", "[5]"),
        ("post", "shown", '[["sea", NaN]]'),
        ("post", "shown", '[["sea", 7]]'),
        ("post", "shown", '[["sea"]]'),
    ],
)
def test_a_row_of_another_form_is_refused(path, table, column, value):
    forge(path, f"UPDATE {table} SET {column} = ?", value)
    assert f"its table '{table}' is not one that the service writes ({column}: " in refusal(path)


@pytest.mark.parametrize("year", [1, 1799, 2200, 9999])
def test_a_time_of_no_photo_that_an_earlier_version_kept_is_unknown(path, year):
    milliseconds = int(datetime(year, 6, 1, tzinfo=UTC).timestamp() * 1000)
    forge(path, "UPDATE taken SET milliseconds = ?", milliseconds)
    with Journal.open(path, NETWORKS, dimensions=DIMENSIONS) as journal:
        assert journal.photo(HASH).time is None
        assert [seen.time for seen, _ in journal.learned("ann")] == [None]
        assert journal.table()["time"][0] == pytest.approx(time.time(), abs=600)


def test_no_post_is_accepted_whose_number_could_not_be_read(path):
    forge(path, "UPDATE post SET number = ?", 2**52 - 2)
    more = [Post(f"post {number}", "ann", HASH, "a.jpg", (f"tag{number}",)) for number in range(2)]
    with Journal.open(path, NETWORKS) as journal:
        journal.accept(more[0], PHOTO)
        with pytest.raises(FullJournalError, match="name another file"):
            journal.accept(more[1], PHOTO)
    with Journal.open(path, NETWORKS) as journal:
        assert journal.posts() == [more[0]]


def test_text_that_is_not_utf_8_is_refused(path):
    forge(path, "UPDATE post SET user = CAST(x'ff0a' AS TEXT)")
    assert "cannot be used as a journal" in refusal(path)


def saved(array: np.ndarray, name: str = "colour") -> bytes:
    return safetensors.numpy.save({name: array})


GOOD = np.array([220, 30, 30], np.float32)


OTHERS = {
    "no tensors": b"\0",
    "text": "hello",
    "a number": 7,
    "bytes after the end": saved(GOOD) + b"trailing",
    "NaN": saved(np.array([1, np.nan, 3], np.float32)),
    "narrow": saved(GOOD[:2]),
    "int8": saved(GOOD.astype(np.int8)),
    "float16": saved(GOOD.astype(np.float16)),
    "a matrix": saved(GOOD[None]),
    "another name": saved(GOOD, "other"),
    "none": safetensors.numpy.save({}),
    "another type": saved(GOOD).replace(b"F32", b"Q99"),
}


@pytest.mark.parametrize("numbers", OTHERS.values(), ids=OTHERS.keys())
def test_vectors_of_another_form_are_computed_again(path, tmp_path, numbers):
    forge(path, "UPDATE vectors SET numbers = ?", numbers)
    with running_service(FakeRecommender(), tmp_path) as client:
        answer = client.post("api/suggest", json={"photos": [HASH], "user": "ann"})
        assert answer.json()["photos"][0]["suggestions"][0]["tag"] == "red"
        assert client.accept(RED, ["sun"], id="87654321").status_code == 201
        assert client.tags_for(RED, user="ann", count=1) == [["red"]]
    with Journal.open(path, NETWORKS, dimensions=DIMENSIONS) as journal:
        assert journal.photo(HASH).vectors["colour"].shape == (3,)


def test_what_the_service_accepts_is_of_the_form(path, tmp_path):
    odd = ["'; DROP TABLE post; --", "\u202eabc", "a\u0301\u0323", "🏖", "x" * 255]
    with running_service(FakeRecommender(), tmp_path) as client:
        client.suggest(RED)
        shown = [{"tag": tag, "probability": number} for tag, number in zip(odd, [0, 1, 0.5, 1e-300, 1.0], strict=True)]
        answer = client.accept(RED, odd, user=odd[1], name="../a\nb.jpg", shown=shown)
        assert answer.status_code == 201, answer.text
    with Journal.open(path, NETWORKS, dimensions=DIMENSIONS) as journal:
        assert [json.dumps(post.tags) for post in journal.posts("abc")]
