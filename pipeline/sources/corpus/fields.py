"""Fields of text files with a row on each line, and the texts in them as values."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import polars as pl

from pipeline.sources.corpus.lines import read_lines

LINE, FIELDS = "line", "fields"
"""Columns of `read_fields`: the line's number, from 1; its fields, null for a line that cannot be read."""
DAMAGED = "damaged line"
"""The reason for a line that is not text, or lacks the fields of the others."""
TimeForm = Literal["seconds", "milliseconds", "date"]
"""Forms of times: numbers since 1970, or YYYY-MM-DD HH:MM:SS in UTC, with or without `.0`."""
LATEST = 9 * 10**15
"""The greatest time in seconds that is also a valid time in milliseconds."""


def read_fields(path: Path, delimiter: str, quoted: bool = False, encoding: str = "utf-8") -> Iterator[pl.DataFrame]:
    """Yields the lines that are not empty, a block at a time, with the columns LINE and FIELDS.

    quoted: true when fields may stand in double quotation marks, which are doubled inside them.
    """
    for number, lines in read_lines(path, encoding):
        frame = pl.DataFrame({LINE: range(number, number + len(lines)), FIELDS: lines})
        frame = frame.filter((pl.col(FIELDS) != "") | pl.col(FIELDS).is_null())
        fields = frame[FIELDS].str.split(delimiter)
        if quoted:
            parsed = [
                _parse(line, delimiter) if line and '"' in line else plain
                for line, plain in zip(frame[FIELDS], fields, strict=True)
            ]
            fields = pl.Series(parsed, dtype=pl.List(pl.String))
        yield frame.with_columns(fields.alias(FIELDS))


def _parse(line: str, delimiter: str) -> list[str] | None:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:  # A quotation mark that is not closed, or closed too early.
        return None


def places(path: Path, frame: pl.DataFrame) -> Callable[[int], str]:
    """Returns the function that names the file and line of a row of `read_fields`."""
    return lambda row: f"{path.name}:{frame[LINE][row]}"


def field(place: int | pl.Expr) -> pl.Expr:
    """Takes the field at a place, from 0; null where a line has none."""
    return pl.col(FIELDS).list.get(place, null_on_oob=True)


def milliseconds(text: pl.Expr, form: TimeForm) -> pl.Expr:
    """Converts texts to milliseconds since 1970, int64; null for those that are not times of the form."""
    if form == "date":
        # A format of fixed length is read three times as fast.
        date = text.str.strip_suffix(".0").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ms", strict=False)
        return date.dt.epoch("ms")
    number = text.str.strip_chars().cast(pl.Int64, strict=False)
    if form == "milliseconds":
        return number
    return pl.when(number.abs() <= LATEST).then(number * 1000)
