"""YFCC100M in its two forms: each row is read, or counted with the reason."""

import gzip
import sqlite3
from collections import Counter
from contextlib import closing
from urllib.parse import unquote_to_bytes

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.data.left_out import count_reasons
from pipeline.data.names import normalise
from pipeline.data.schema import LATITUDE, LONGITUDE
from pipeline.errors import InputError, SettingError
from pipeline.files.parquet import write_parquet
from pipeline.sources.corpus.source import CorpusSource
from pipeline.sources.corpus.yfcc import key
from project.extraction import read_positions
from tests.support.corpus_files import YFCC_COLUMNS, crawl, read, write_yfcc, write_yfcc_text, yfcc_row

SQLITE, TEXT = "yfcc100m_dataset.sql", "yfcc100m_dataset-0.bz2"
MANY = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

PIECES = [
    *("sea", "Sea", "new+york", "new%20york", "caf%C3%A9", "cafe%CC%81", "a%2Cb"),
    *("%E2%80%8B", "%E4", "+", "", "50%"),
]
"""Encoded tags: two spellings of a blank and of é, a comma, an invisible character, Latin-1, nothing, no code."""
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["1@N00", "2@N01", "10@N00", ""]),
        st.lists(st.sampled_from(PIECES), max_size=5).map(",".join),
        st.sampled_from(["2010-05-14 12:24:05.0", "", "0000-00-00 00:00:00"]),
        st.sampled_from([0, 1, "0", "1", ""]),
    ),
    min_size=1,
    max_size=12,
).map(lambda rows: [yfcc_row(2**31 + number, *row) for number, row in enumerate(rows)])


def expected(rows: list[tuple]) -> tuple[dict, Counter]:
    """The posts and reasons of rows, one at a time."""
    posts, reasons = {}, Counter()
    for row in rows:
        photo, user, tags, marker = str(row[0]), row[1], row[8], row[22]
        if marker in (1, "1"):
            reasons["video"] += 1
        elif not user:
            reasons["no user"] += 1
        elif names := {name for tag in tags.split(",") if (name := decoded(tag))}:
            posts[user, photo] = sorted(names)
        else:
            reasons["no tags"] += 1
    return posts, reasons


def decoded(tag: str) -> str:
    try:
        return normalise(unquote_to_bytes(tag.replace("+", " ")).decode())
    except UnicodeDecodeError:
        return ""


@MANY
@given(rows=ROWS)
def test_every_row_of_the_sqlite_file_is_a_post_or_counted_with_the_reason(rows, tmp_path):
    write_yfcc(tmp_path / SQLITE, rows)
    posts, reasons = expected(rows)
    if not posts:
        with pytest.raises(InputError, match="no usable post"):
            crawl(tmp_path, "yfcc100m")
        return
    assert read(tmp_path, "yfcc100m") == (posts, reasons)


@MANY
@given(rows=ROWS, numbered=st.booleans(), damaged=st.integers(0, 2))
def test_every_line_of_the_text_is_a_post_or_counted_with_the_reason(rows, numbered, damaged, tmp_path):
    """A line without a user's id has no place that other fields are counted from: it is damaged."""
    rows = [*rows, yfcc_row(1, "1@N00", "sea")]
    write_yfcc_text(tmp_path / TEXT.removesuffix(".bz2"), rows, numbered)
    with (tmp_path / TEXT.removesuffix(".bz2")).open("ab") as file:
        file.write(b"\r\n\n" + [b"", b"12\t1@N00\tshort\n", b"\xff\xfe\t1@N00\n"][damaged])
    posts, _ = expected(rows)
    reasons = Counter()
    for row in rows:
        reasons.update({"damaged line": 1} if not row[1] else expected([row])[1])
    reasons["damaged line"] += damaged > 0
    assert read(tmp_path, "yfcc100m-text") == (posts, +reasons)


def test_a_compressed_text_and_the_database_give_the_same(tmp_path):
    rows = [yfcc_row(number, f"{number % 3}@N00", "new+york,sea") for number in range(20)]
    write_yfcc(tmp_path / SQLITE, rows)
    write_yfcc_text(tmp_path / TEXT, rows, numbered=True)
    one, other = crawl(tmp_path, "yfcc100m"), crawl(tmp_path, "yfcc100m-text")
    assert one.posts.equals(other.posts)
    assert one.posts.row(0) == ("0@N00", "0", ["new york", "sea"], 1273839845000)


PLACES = {
    ("51.0583", "13.7373"): (51.0583, 13.7373),
    (-33.5, -70.25): (-33.5, -70.25),
    (51, 0): (51, 0),
    ("", ""): None,
    ("51.0583", ""): None,
    (0, 0): None,
    (90.5, 13.7): None,
    (51.5, -181.0): None,
    ("north", 13.7): None,
    ("nan", "inf"): None,
    ("1e999", 13.7): None,
    ("12abc", 13.7): None,
}
"""Latitudes and longitudes of rows, and the positions that they are."""


@pytest.mark.parametrize("form", ["yfcc100m", "yfcc100m-text"])
def test_posts_have_the_place_where_it_is_known(form, tmp_path):
    rows = [
        yfcc_row(number, "1@N00", "sea", latitude=latitude, longitude=longitude)
        for number, (latitude, longitude) in enumerate(PLACES, 10)
    ]
    write_yfcc(tmp_path / SQLITE, rows)
    write_yfcc_text(tmp_path / TEXT, rows)
    posts = crawl(tmp_path, form).posts
    assert posts.schema[LATITUDE] == posts.schema[LONGITUDE] == pl.Float64
    assert posts.select(LATITUDE, LONGITUDE).rows() == [place or (None, None) for place in PLACES.values()]


@pytest.mark.parametrize("form", ["yfcc100m", "yfcc100m-text"])
def test_without_any_place_there_is_no_column_of_it(form, tmp_path):
    rows = [yfcc_row(1, "1@N00", "sea"), yfcc_row(2, "1@N00", "sea", latitude=0, longitude=0)]
    write_yfcc(tmp_path / SQLITE, rows)
    write_yfcc_text(tmp_path / TEXT, rows)
    assert crawl(tmp_path, form).posts.columns == ["user", "photo", "tags", "time"]


@pytest.mark.parametrize("dropped", [("latitude",), ("longitude",), ("latitude", "longitude")])
def test_a_database_without_columns_of_places_is_read_without_places(dropped, tmp_path, caplog):
    write_yfcc(tmp_path / SQLITE, [yfcc_row(1, "1@N00", "sea", latitude=51.5, longitude=13.5)])
    with closing(sqlite3.connect(tmp_path / SQLITE)) as connection:
        for column in dropped:
            connection.execute(f"ALTER TABLE yfcc100m_dataset DROP COLUMN {column}")
    posts = crawl(tmp_path, "yfcc100m").posts
    assert posts.rows() == [("1@N00", "1", ["sea"], 1273839845000)]
    said = f"{tmp_path / SQLITE} does not have both columns latitude and longitude: its posts have no place."
    assert said in [record.getMessage() for record in caplog.records]
    write_parquet(posts, tmp_path / "posts.parquet")
    with pytest.raises(InputError, match="The source gives no places"):
        read_positions(tmp_path / "posts.parquet")


def test_a_photo_in_several_rows_has_one_of_their_places(tmp_path):
    """The southernmost, so that it is always the same."""
    rows = [
        yfcc_row(1, "1@N00", f"tag{number}", latitude=latitude, longitude=longitude)
        for number, (latitude, longitude) in enumerate([(51.5, 1.5), ("", ""), (-51.5, 2.5), (51.5, 0.5)])
    ]
    write_yfcc_text(tmp_path / TEXT, rows)
    posts = crawl(tmp_path, "yfcc100m-text").posts
    assert posts.select(LATITUDE, LONGITUDE).rows() == [(-51.5, 2.5)]
    assert posts["tags"].to_list() == [["tag0", "tag1", "tag2", "tag3"]]


def test_what_is_absent_from_the_published_rows_is_counted(tmp_path):
    write_yfcc(tmp_path / SQLITE, [yfcc_row(1, "1@N00", "sea")])
    left_out = crawl(tmp_path, "yfcc100m").left_out
    assert count_reasons(left_out) == {"missing": 99_999_999}
    assert left_out["detail"].to_list() == ["1 of the 100,000,000 published rows are here"]


def test_a_row_of_bytes_that_are_no_text_is_damaged_and_nothing_else(tmp_path):
    write_yfcc(tmp_path / SQLITE, [yfcc_row(1, "1@N00", "sea"), yfcc_row(2, "1@N00", b"\xff,sea")])
    assert read(tmp_path, "yfcc100m") == ({("1@N00", "1"): ["sea"]}, {"damaged line": 1})


def test_users_with_few_posts_are_left_out_where_asked_for(tmp_path):
    write_yfcc(tmp_path / SQLITE, [yfcc_row(number, "1@N00" if number < 3 else "2@N00", "sea") for number in range(4)])
    posts, reasons = read(tmp_path, "yfcc100m", users_at_least=2)
    assert len(posts) == 3
    assert reasons == {"user with few posts": 1}


def test_the_database_is_not_written_and_its_folder_may_be_read_only(tmp_path):
    write_yfcc(tmp_path / SQLITE, [yfcc_row(1, "1@N00", "sea")])
    before = (tmp_path / SQLITE).read_bytes()
    tmp_path.chmod(0o500)
    try:
        crawl(tmp_path, "yfcc100m")
    finally:
        tmp_path.chmod(0o700)
    assert (tmp_path / SQLITE).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [SQLITE]


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "table", "column"])
def test_a_database_that_cannot_be_read_is_one_sentence_with_its_name(damage, tmp_path):
    file = tmp_path / SQLITE
    write_yfcc(file, [yfcc_row(number, "1@N00", "sea") for number in range(100)])
    with sqlite3.connect(file) as connection:
        if damage == "table":
            connection.execute("ALTER TABLE yfcc100m_dataset RENAME TO photos")
        if damage == "column":
            connection.execute(f"ALTER TABLE yfcc100m_dataset DROP COLUMN {YFCC_COLUMNS[8].split()[0]}")
    data = file.read_bytes()
    file.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "text": b"CREATE TABLE"}.get(damage, data))
    with pytest.raises(InputError) as caught:
        crawl(tmp_path, "yfcc100m")
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_without_rows_is_one_sentence(tmp_path):
    write_yfcc(tmp_path / SQLITE, [])
    with pytest.raises(InputError, match="no usable post: missing"):
        crawl(tmp_path, "yfcc100m")
    with pytest.raises(InputError, match=f"{SQLITE} has no rows"):
        CorpusSource.recognise(tmp_path / SQLITE, {})


@pytest.mark.parametrize("damage", [slice(0, 300), slice(0, 0), slice(8, None)])
def test_a_gzip_file_that_is_damaged_is_one_sentence(damage, tmp_path):
    write_yfcc_text(tmp_path / "plain", [yfcc_row(number, "1@N00", f"sea{number}") for number in range(100)])
    data = gzip.compress((tmp_path / "plain").read_bytes())
    (tmp_path / "part.gz").write_bytes(data[damage] if damage.stop != 300 else data[:200] + b"x" * 50 + data[250:])
    with pytest.raises(InputError, match=r"part\.gz cannot be read|no usable post"):
        crawl(tmp_path, "yfcc100m-text", files=["part.gz"])


def test_files_outside_the_corpus_are_refused(tmp_path):
    with pytest.raises(SettingError, match=r"files has '\.\./other\.tsv', which leads out of"):
        crawl(tmp_path, "yfcc100m-text", files=["../other.tsv"])


def test_a_compressed_file_that_is_cut_short_is_one_sentence_with_its_name(tmp_path):
    write_yfcc_text(tmp_path / TEXT, [yfcc_row(number, "1@N00", "sea") for number in range(100)])
    (tmp_path / TEXT).write_bytes((tmp_path / TEXT).read_bytes()[:-50])
    with pytest.raises(InputError, match=f"{TEXT} cannot be read .*fetch it again"):
        crawl(tmp_path, "yfcc100m-text")


def test_a_key_has_no_leading_zeros_of_bytes():
    """MD5 e4d909c290d0fb1ca068ffaddf22cbd0 of this text: its third byte, 09, is `9`."""
    assert key("The quick brown fox jumps over the lazy dog.") == "e4d99c290d0fb1ca068ffaddf22cbd0"
