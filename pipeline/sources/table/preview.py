"""A look into a table of unknown form: its encoding, delimiter, names of columns, and first rows."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.data.schema import PHOTO, TAGS, TIME, USER
from pipeline.errors import InputError, SettingError
from pipeline.sources.table.columns import columns_of
from pipeline.sources.table.encoding import recognise_encoding
from pipeline.sources.table.forms import (
    Form,
    count_parquet_rows,
    form_of,
    parquet_columns,
    read_json_lines,
    read_parquet_columns,
    read_spreadsheet,
)
from pipeline.sources.table.text import Dialect, Row, read_rows, recognise_delimiter, split_rows

SAMPLE = 2000
"""Rows that are looked at."""
MOST_COLUMNS = 10_000
"""Columns that are looked at, at most."""
IN_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""Delimiters in words."""


@dataclass(frozen=True)
class Preview:
    """The form of a table, and its first rows."""

    path: Path
    """The file."""
    names: Sequence[str]
    """The names of the columns: of the header, else by number."""
    sample: pl.DataFrame
    """The first rows: text, or what Parquet has, by the names of the columns."""
    lines: Sequence[int]
    """The places of these rows: lines in a text file, numbers elsewhere."""
    count: int
    """All rows below the header."""
    settings: Mapping[str, Any]
    """Settings that say how the file is read: encoding, delimiter, quoted, columns."""
    sentences: Sequence[str] = field(default=())
    """Sentences on them."""


def preview(path: Path, given: Mapping[str, Any]) -> Preview | None:
    """Looks into a table; returns None for text that is not a table. Settings in `given` are not guessed.

    Raises InputError for a file that cannot be read.
    """
    form = form_of(path)
    if form is Form.PARQUET:
        names = _bounded(path, parquet_columns(path))
        sample, count = read_parquet_columns(path, names, SAMPLE), count_parquet_rows(path)
        return Preview(path, names, sample, range(1, sample.height + 1), count, {}, [_says(path, count, "Parquet")])
    if form is Form.SPREADSHEET:
        return _with_header(path, read_spreadsheet(path), given, {}, "a spreadsheet")
    encoding, example = (given["encoding"], None) if given.get("encoding") else recognise_encoding(path)
    guessed = f" (a guess, which gives {example!r}: state another encoding if that is wrong)"
    reads = encoding.upper() + (guessed if example is not None else "")
    if form is Form.JSON_LINES:
        names, rows = read_json_lines(path, encoding)
        return _of_rows(path, _bounded(path, names), rows, {"encoding": encoding}, f"JSON lines, {reads}")
    quoted, delimiter = _quoted(path, encoding, given)
    if not delimiter:
        if next(read_rows(path, Dialect(encoding, ",", quoted)), None) is None:
            raise InputError(f"There is no row in {path}: put some there.")
        return None
    settings = {"encoding": encoding, "delimiter": delimiter, "quoted": quoted}
    reads += f", columns separated by {IN_WORDS.get(delimiter, repr(delimiter))}"
    return _with_header(path, read_rows(path, Dialect(encoding, delimiter, quoted)), given, settings, reads)


def _bounded(path: Path, columns: list[str]) -> list[str]:
    """Returns the columns of a table. Raises InputError for more than are looked at."""
    if len(columns) > MOST_COLUMNS:
        raise InputError(f"{path} has {len(columns):,} columns, above the {MOST_COLUMNS:,} of a table of posts.")
    return columns


def _says(path: Path, count: int, form: str) -> str:
    return f"{path.name}: {count:,} rows, {form}."


def _quoted(path: Path, encoding: str, given: Mapping[str, Any]) -> tuple[bool, str | None]:
    """Recognises whether values stand in quotation marks, and the delimiter: None where there is none.

    Quotation marks that are not closed are part of the text where all rows then have the same number of values, and
    tabs or bars between them: programs that write commas or semicolons close them.
    """

    def delimiter(quoted: bool) -> str | None:
        found = given.get("delimiter") or recognise_delimiter(path, encoding, quoted)
        _, first = next(read_rows(path, Dialect(encoding, found, quoted)), (0, []))
        return found if len(first) > 1 else None

    if given.get("quoted") is not None:
        return given["quoted"], delimiter(given["quoted"])
    found = delimiter(quoted=True) or delimiter(quoted=False)
    if found is None:
        return True, None
    try:
        deque(read_rows(path, Dialect(encoding, found, quoted=True)), maxlen=0)
    except SettingError:
        widths = {len(row) for _, row in read_rows(path, Dialect(encoding, found, quoted=False))}
        if found in ",;" or len(widths) > 1:
            raise
        return False, found
    return True, found


def _with_header(
    path: Path, rows: Iterator[Row], given: Mapping[str, Any], settings: Mapping[str, Any], form: str
) -> Preview | None:
    """Recognises whether rows begin with a header, else numbers the columns."""
    first = list(islice(rows, SAMPLE + 1))
    if not first:
        raise InputError(f"There is no row in {path}: put some there.")
    if len(_bounded(path, first[0][1])) < 2:
        return None
    columns = given.get("columns")
    if columns is None and not _is_header(first):
        columns = [f"column {number}" for number, _ in enumerate(first[0][1], start=1)]
        form += ", without a header"
    names = columns or [value or "" for value in first[0][1]]
    rest = chain(first if columns else first[1:], rows)
    below = split_rows(path, rest, names) if "delimiter" in settings else rest
    return _of_rows(path, names, below, {**settings, "columns": columns}, form)


def _is_header(rows: Sequence[Row]) -> bool:
    """Decides whether the first row names columns: by usual names, else because it is unlike those below."""
    (_, first), *below = rows
    names = [value or "" for value in first]
    usual = [role for role in (USER, PHOTO, TAGS, TIME) if columns_of(role, names)]
    if len(usual) > 1 or TAGS in usual or not below:
        return True
    if any(name.strip().replace(".", "", 1).isdigit() or "." in name[-5:-2] for name in names):
        return False  # A number, or a name with a suffix.
    return not any(name in {row[place] for _, row in below if place < len(row)} for place, name in enumerate(names))


def _of_rows(path: Path, names: Sequence[str], rows: Iterator[Row], settings: Mapping[str, Any], form: str) -> Preview:
    seen = list(islice(rows, SAMPLE))
    lines, first = [line for line, _ in seen], [row for _, row in seen]
    count = len(first) + sum(1 for _ in rows)
    unique = [name if name and name not in names[:place] else f"column {place + 1}" for place, name in enumerate(names)]
    columns = {name: [row[place] if place < len(row) else None for row in first] for place, name in enumerate(unique)}
    sample = pl.DataFrame(columns, dict.fromkeys(columns, pl.String))
    return Preview(path, unique, sample, lines, count, settings, [_says(path, count, form)])
