"""The cells of a table that matter: wanted columns found by their names, as text, lists of text, or dates."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path

import polars as pl

from pipeline.data.names import normalise, shortened_list
from pipeline.data.schema import TAGS, TIME
from pipeline.errors import InputError, SettingError
from pipeline.sources.table.encoding import recognise_encoding
from pipeline.sources.table.forms import (
    Form,
    form_of,
    parquet_columns,
    read_json_lines,
    read_parquet_columns,
    read_spreadsheet,
)
from pipeline.sources.table.text import (
    DELIMITERS,
    Dialect,
    Row,
    quote,
    read_rows,
    recognise_delimiter,
    split_rows,
)
from pipeline.words import counted

LINE = "line"
"""The column of a row's place: its line in a text file, its number elsewhere."""
ROWS_PER_CHUNK = 50_000
"""Rows that become columns at once."""

log = logging.getLogger(__name__)

Wanted = Mapping[str, tuple[str, str]]
"""For each column of the result: the setting that names the table's column, and that name."""
Further = Callable[[Sequence[str]], Wanted]
"""A function from the names of a table's columns to those that are read although no setting names them."""


def read_cells(
    path: Path,
    wanted: Wanted,
    further: Further,
    encoding: str | None,
    delimiter: str | None,
    quoted: bool,
    columns: list[str] | None,
) -> pl.DataFrame:
    """Reads the wanted columns of a table, further ones, and LINE; the settings are those of `TableSource`.

    Cells are text, lists of text where Parquet holds lists, dates where it holds dates. Raises InputError, with the
    line, for a file that cannot be read, and SettingError for a setting that does not fit it.
    """
    if form_of(path) is Form.PARQUET:
        return _parquet_cells(path, wanted, further)
    rows, names = _open_rows(path, wanted, encoding, delimiter, quoted, columns)
    return _text_cells(rows, find_columns(path, names, wanted | further(names)))


def check_cells(
    path: Path, wanted: Wanted, encoding: str | None, delimiter: str | None, quoted: bool, columns: list[str] | None
) -> None:
    """Checks that a table has the wanted columns, without reading its rows. Raises InputError as `read_cells` does."""
    if form_of(path) is Form.PARQUET:
        find_columns(path, parquet_columns(path), wanted)
    else:
        _, names = _open_rows(path, wanted, encoding, delimiter, quoted, columns)
        find_columns(path, names, wanted)


def _open_rows(
    path: Path, wanted: Wanted, encoding: str | None, delimiter: str | None, quoted: bool, columns: list[str] | None
) -> tuple[Iterator[Row], Sequence[str]]:
    """Returns the rows below the header, and the names of their columns."""
    match form_of(path):
        case Form.SPREADSHEET:
            names, rows = _with_header(path, read_spreadsheet(path), columns, wanted)
        case Form.JSON_LINES:
            names, rows = read_json_lines(path, encoding or _encoding(path))
        case Form.TEXT:
            encoding = encoding or _encoding(path)
            delimiter = delimiter or _fitting_delimiter(path, wanted, encoding, quoted, columns)
            names, rows = _with_header(path, read_rows(path, Dialect(encoding, delimiter, quoted)), columns, wanted)
            if len(names) == 1:
                raise SettingError(
                    "delimiter", f"is {delimiter!r}, which does not split {quote(names[0])} in {path}: state another."
                )
            rows = split_rows(path, rows, names)
    return rows, names


def find_columns(path: Path, names: Sequence[str], wanted: Wanted) -> dict[str, int]:
    """Finds the wanted columns among a table's names: exactly, else regardless of case where only one fits."""
    found = {}
    for key, (field, column) in wanted.items():
        places = _places(names, column)
        if not places:
            raise SettingError(
                field, f"is {column!r}; {path} has no such column, but {shortened_list(map(str, names))}."
            )
        if len(places) > 1:
            raise SettingError(
                field,
                f"{_relation(key, field)} {column!r}; {path} has {len(places)} such columns: rename the others.",
            )
        found[key] = places[0]
    return found


def _places(names: Sequence[str], column: str) -> list[int]:
    plain = [normalise(str(name)) for name in names]
    exact = [place for place, name in enumerate(plain) if name == normalise(column)]
    return exact or [place for place, name in enumerate(plain) if name.casefold() == normalise(column).casefold()]


def _with_header(
    path: Path, rows: Iterator[Row], columns: list[str] | None, wanted: Wanted
) -> tuple[Sequence[str], Iterator[Row]]:
    """Splits rows into the names of the columns and the rows below them."""
    first = next(rows, None)
    if first is None:
        raise InputError(f"There is no row in {path}: put some there.")
    line, values = first
    if columns is None:
        return [value or "" for value in values], rows
    if all(_places([value or "" for value in values], column) for _, column in wanted.values()):
        raise SettingError("columns", f"names the columns, but {path} has a header in line {line}: choose null.")
    if len(values) != len(columns):
        raise SettingError(
            "columns",
            f"names {counted(len(columns), 'columns')}, but {path}, line {line} has {counted(len(values), 'values')}.",
        )
    return columns, chain([first], rows)


def _encoding(path: Path) -> str:
    encoding, example = recognise_encoding(path)
    if example is not None:
        log.warning("%s is not UTF-8; it is read as %s, which gives %r.", path, encoding, example)
    return encoding


def _fitting_delimiter(path: Path, wanted: Wanted, encoding: str, quoted: bool, columns: list[str] | None) -> str:
    """Chooses the delimiter with which a text file has the wanted columns, else the one that splits its rows best."""

    def fits(delimiter: str) -> bool:
        try:
            _, first = next(read_rows(path, Dialect(encoding, delimiter, quoted)), (0, []))
        except InputError:
            return False
        return len(first) == len(columns) if columns else all(_places(first, column) for _, column in wanted.values())

    return next((delimiter for delimiter in DELIMITERS if fits(delimiter)), None) or recognise_delimiter(
        path, encoding, quoted
    )


def _text_cells(rows: Iterable[Row], places: Mapping[str, int]) -> pl.DataFrame:
    """Collects the cells at some places of rows into columns of text. Memory holds few rows as Python objects."""
    schema = {LINE: pl.Int64} | dict.fromkeys(places, pl.String)
    frames = [pl.DataFrame(schema=schema)]
    rows = iter(rows)
    while chunk := list(islice(rows, ROWS_PER_CHUNK)):
        columns = {LINE: [line for line, _ in chunk]}
        columns |= {key: [row[place] for _, row in chunk] for key, place in places.items()}
        frames.append(pl.DataFrame(columns, schema))
    return pl.concat(frames)


def _parquet_cells(path: Path, wanted: Wanted, further: Further) -> pl.DataFrame:
    names = parquet_columns(path)
    wanted = wanted | further(names)
    places = find_columns(path, names, wanted)
    table = read_parquet_columns(path, sorted({names[place] for place in places.values()}))
    columns = [as_text(table[names[place]], key, wanted[key][0], path).alias(key) for key, place in places.items()]
    return pl.DataFrame([pl.Series(LINE, range(1, table.height + 1), pl.Int64), *columns])


def as_text(values: pl.Series, key: str, field: str, path: Path) -> pl.Series:
    """Converts a typed column to text, to lists of text for tags, or leaves dates for times.

    Raises SettingError, with the field that names the column, for values that are not text.
    """
    kind = values.dtype
    if key == TIME and isinstance(kind, pl.Date | pl.Datetime):
        return values
    if key.startswith(TAGS) and isinstance(kind, pl.List | pl.Array) and _is_plain(kind.inner):
        lists = values.arr.to_list() if isinstance(kind, pl.Array) else values
        return lists.cast(pl.List(pl.String))
    if not _is_plain(kind):
        raise SettingError(
            field,
            f"{_relation(key, field)} {values.name!r}, whose values in {path} are not text, but {str(kind)[:60]}: save "
            "them as text, or name another column.",
        )
    if kind.is_float():
        # Identifiers become decimals where some are missing: 12.0, which is 12.
        whole = values.is_finite() & (values == values.round())
        text = (
            pl.when(whole).then(values.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(values.cast(pl.String))
        )
        return pl.select(text.alias(values.name)).to_series()
    return values.cast(pl.String)


def _relation(key: str, field: str) -> str:
    """Returns the words between a setting and a column, which it names, or which is read with the named one."""
    return "is" if key.rstrip("0123456789") == field else "goes with"


def _is_plain(kind: pl.DataType) -> bool:
    return kind.is_numeric() or kind in (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null)
