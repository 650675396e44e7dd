"""Whatever a table holds: posts that keep the contract, or one sentence; never a traceback."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.names import normalise
from pipeline.errors import InputError
from pipeline.sources.base import CrawlTask
from pipeline.sources.table.source import TableSource
from tests.support.source_examples import TABLE
from tests.support.tables import configured, read_posts

HEADER = ("user", "photo", "tags", "time")
CELLS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", "nan", "sea sun", "sea, sun", "sea;sun", '["sea"]', "{'a': 1}", "2017:08:21 12:30:00", "1e300"]
    ),
    st.sampled_from(
        [
            "ann ",
            "a.jpg",
            "../a.jpg",
            "/a.jpg",
            "C:\\a.jpg",
            '"',
            "\r",
            "#sea",
            "1503318600",
            "51,05",
            "-13.7",
            "\ufeff",
        ]
    ),
)
ROWS = st.lists(st.lists(CELLS, min_size=2, max_size=5), max_size=8)


def is_one_sentence(error: InputError) -> bool:
    text = str(error)
    return "\n" not in text and len(text) < 700


@settings(max_examples=50)
@given(
    start=st.sampled_from([b"", b"user,photo,tags\n", b"\xff\xfe", b"PK\x03\x04", b"PAR1", b"\x1f\x8b", b'{"user":']),
    rest=st.binary(max_size=60),
)
def test_any_bytes(start, rest):
    with TemporaryDirectory() as folder:
        path = Path(folder, "posts.csv")
        path.write_bytes(start + rest)
        for attempt in (lambda: TableSource.recognise(path, {}), lambda: read_posts(configured(), path.parent)):
            try:
                attempt()
            except InputError as error:
                assert is_one_sentence(error), error


@settings(max_examples=50)
@given(
    rows=ROWS,
    separator=st.sampled_from([None, " ", ","]),
    column=st.sampled_from([None, "time", "place"]),
    quoted=st.booleans(),
)
def test_any_rows(rows, separator, column, quoted):
    """Posts are those of the rows, each with tags that a cell of it holds."""
    text = io.StringIO()
    csv.writer(text).writerows([HEADER, *rows])
    with TemporaryDirectory() as folder:
        Path(folder, "posts.csv").write_text(text.getvalue(), encoding="utf-8", newline="")
        changes = {"separator": separator, "time": "time" if column == "time" else None, "quoted": quoted}
        changes |= {"latitude": "time", "longitude": "photo"} if column == "place" else {}
        try:
            posts, left_out = read_posts(configured(**changes), Path(folder))
        except InputError as error:
            assert is_one_sentence(error), error
            return
    assert posts.select("user", "photo").is_unique().all()
    assert not quoted or set(posts["user"]) <= {normalise(row[0]) for row in rows}
    assert all(tags == sorted(set(tags)) and all(map(normalise, tags)) for tags in posts["tags"].to_list())
    assert set(posts.select("user", "photo").rows()).isdisjoint(left_out.select("user", "photo").rows())


@settings(max_examples=50)
@given(rows=ROWS, header=st.permutations(HEADER), delimiter=st.sampled_from(",;\t|"))
def test_any_table_that_is_recognised_can_be_read(rows, header, delimiter):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([header, *rows])
    with TemporaryDirectory() as folder:
        path = Path(folder, "posts.csv")
        path.write_text(text.getvalue(), encoding="utf-8", newline="")
        try:
            found = TableSource.recognise(path, {})
            if found is not None:
                assert all("\n" not in sentence for sentence in found.sentences)
                source = TableSource.model_validate(TABLE | found.settings)
                source.read_posts(CrawlTask(found.folder, Path(), Path()))
        except InputError as error:
            assert is_one_sentence(error), error
