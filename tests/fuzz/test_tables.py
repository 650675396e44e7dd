"""Tables in every form, valid and damaged: no row is lost, or one sentence names the file."""

import csv
import gzip
import io
import json

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.names import normalise
from pipeline.data.schema import PHOTO, USER
from pipeline.sources.table.photo_names import tidy
from pipeline.sources.table.source import TableSource
from tests.support.fuzzing import damaged, fuzz, sentence_of
from tests.support.source_examples import TABLE
from tests.support.tables import configured, read_posts, write_spreadsheet

HEADER = (USER, PHOTO, "tags", "time")
WORDS = [
    "", " ", "nan", "NaN", "null", "ann", "ann ", "Ann", "a.jpg", "./a.jpg", "a\\b.jpg", "/a.jpg", "#sea", "❤️",
    "e\u0301", "\u200b", "\ufeff", "\0", "\x1b[31m", '"', "''", '["a","b"]', "{'a': 1}", "sea,sun", "sea;sun", "a|b",
    "a\tb", "a\r\nb", "=1+1", "1e300", "1503318600", "2017-08-21", "2017:08:21 12:30:00", "x" * 5000, "İ", "😀",
]  # fmt: skip
CELLS = st.sampled_from(WORDS) | st.text(st.characters(codec="utf-8"), max_size=8)
KINDS = st.sampled_from([
    pl.Int64, pl.UInt64, pl.Float32, pl.Date, pl.Datetime, pl.Duration, pl.Time, pl.Boolean, pl.Null, pl.Decimal(38, 2)
])  # fmt: skip
NUMBERS = st.none() | st.integers(-(2**31), 2**31 - 1)
ROWS = st.lists(st.lists(CELLS, min_size=3, max_size=4), min_size=1, max_size=8)
ENCODINGS = st.sampled_from(
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252", "cp932", "koi8_r", "cp037"]
)


def as_text(rows: list[list[str]], draw: st.DrawFn) -> bytes:
    text = io.StringIO()
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    ends = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    csv.writer(text, delimiter=draw(st.sampled_from(",;\t| :")), quoting=quoting, lineterminator=ends).writerows(rows)
    return text.getvalue().encode(draw(ENCODINGS), "replace")


def as_json(rows: list[list[str]], draw: st.DrawFn) -> bytes:
    header, *below = rows
    lines = [json.dumps(dict(zip(header, row, strict=False)), ensure_ascii=draw(st.booleans())) for row in below]
    return "\n".join(lines).encode(draw(ENCODINGS), "replace")


def as_parquet(rows: list[list[str]], draw: st.DrawFn) -> bytes:
    header, *below = rows
    columns = {}
    for place, name in enumerate(header):
        values = [row[place] if place < len(row) else None for row in below]
        match draw(st.sampled_from(["text", "text", "lists", "arrays", "objects", "binary", "typed"])):
            case "lists":
                values = [None if value is None else value.split() for value in values]
            case "arrays":
                values = pl.Series([[value, value] for value in values], dtype=pl.Array(pl.String, 2))
            case "objects":
                values = [{"a": value} for value in values]
            case "binary":
                values = [None if value is None else value.encode() for value in values]
            case "typed":
                numbers = pl.Series([draw(NUMBERS) for _ in values], dtype=pl.Int64)
                values = numbers.cast(draw(KINDS), strict=False)
        columns[name] = values
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_parquet(buffer)
    return buffer.getvalue()


def as_spreadsheet(rows: list[list[str]], draw: st.DrawFn) -> bytes:
    buffer = io.BytesIO()
    cells = [[None if not value.isprintable() or set(value) & set("<&") else value for value in row] for row in rows]
    write_spreadsheet(buffer, *[[]] * draw(st.integers(0, 1)), cells)
    return buffer.getvalue()


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """The bytes of a table in some form, perhaps compressed, perhaps damaged."""
    header = list(draw(st.permutations(HEADER)))
    if draw(st.booleans()):
        header[draw(st.integers(0, 3))] = draw(CELLS)
    write = draw(st.sampled_from([as_text, as_text, as_json, as_parquet, as_spreadsheet]))
    if write is as_parquet:
        header = [f"{name}{number}" if name in header[:number] else name for number, name in enumerate(header)]
    content = write([header, *draw(ROWS)], draw)
    content = gzip.compress(content, 1) if draw(st.integers(0, 5)) == 0 else content
    return draw(damaged(content)) if draw(st.booleans()) else content


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "columns": st.none() | st.just([*HEADER]),
        "encoding": st.none() | st.sampled_from(["utf-8", "utf-16", "cp1252", "utf-7", "idna"]),
        "delimiter": st.none() | st.sampled_from(",;\t"),
        "quoted": st.booleans(),
        "user": st.none() | st.just(USER),
        "tags": st.just(["tags", "time"]),
        "separator": st.none() | st.sampled_from([" ", ",", ";", "\n", ".*"]),
        "lowercase": st.booleans(),
        "time": st.none() | st.just("time"),
        "split": st.none() | st.just("time"),
    },
)


@fuzz(120)
@given(content=tables(), settings=SETTINGS)
def test_a_table_is_recognised_and_read_or_one_sentence(tmp_path_factory, content, settings):
    folder = tmp_path_factory.getbasetemp() / "table"
    folder.mkdir(exist_ok=True)
    file = folder / "posts.csv"
    file.write_bytes(content)

    def recognise():
        found = TableSource.recognise(file, {})
        if found is not None:
            assert all(len(sentence.splitlines()) == 1 for sentence in found.sentences)
            read_posts(TableSource.model_validate(TABLE | found.settings), folder)

    def read():
        read_posts(configured(**settings), folder)

    for work in (recognise, read):
        sentence_of(work)


@fuzz(60)
@given(rows=ROWS, delimiter=st.sampled_from(",;\t|"), encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))
def test_no_row_is_lost(tmp_path_factory, rows, delimiter, encoding):
    """Each row's user and photo are those of a post, or of what is left out."""
    folder = tmp_path_factory.getbasetemp() / "rows"
    folder.mkdir(exist_ok=True)
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([HEADER, *rows])
    (folder / "posts.csv").write_text(text.getvalue(), encoding=encoding, newline="")
    read = []
    source = configured(encoding=encoding, delimiter=delimiter, separator=None)
    if sentence_of(lambda: read.extend(read_posts(source, folder))) is None:
        posts, left_out = (set(frame.select(USER, PHOTO).rows()) for frame in read)
        for user, photo, *_ in rows:
            name, id = (known(value) for value in (normalise(user), tidy(photo)))
            assert not (name and id) or (name, id) in posts | left_out


def known(value: str) -> str | None:
    """A value that is not missing."""
    return None if value.strip().lower() in ("", "nan") else value
