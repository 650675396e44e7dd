"""The forms of tables, told apart by content rather than by suffix, each as rows or as typed columns."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from enum import StrEnum
from functools import reduce
from itertools import islice
from pathlib import Path
from typing import IO

import polars as pl

from pipeline.errors import InputError
from pipeline.sources.table.encoding import ALWAYS_ALLOWED, BLOCK, MAX_RATIO, open_bytes, too_large
from pipeline.sources.table.text import Row, read_objects

SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".parquet", ".xlsx")
"""Suffixes of tables, which may be followed by that of gzip."""
COMPRESSED = ".gz"


class Form(StrEnum):
    """A form that a table may have."""

    TEXT = "text"
    JSON_LINES = "JSON lines"
    PARQUET = "Parquet"
    SPREADSHEET = "a spreadsheet"


BEGINNINGS = ((b"PAR1", Form.PARQUET), (b"PK\x03\x04", Form.SPREADSHEET), (b"\xd0\xcf\x11\xe0", Form.SPREADSHEET))
"""First bytes of files by their form."""
CELL = re.compile(rb"""<(?:\w+:)?(?:c|row)\s[^<>]*?\br=["']([A-Z]{0,3})(\d{1,9})["']""")
"""A cell or row of an XLSX file, with its column and its number."""
MANY_CELLS, SPARSE = 2_000_000, 20
"""Cells that any sheet may span, and the times that a larger one may span those that it has."""
NAMED = 1000
"""Objects of a file of JSON lines whose keys are its columns."""


def is_table(path: Path) -> bool:
    """Decides by the suffix whether a file may be a table."""
    name = path.name.lower().removesuffix(COMPRESSED)
    return name.endswith(SUFFIXES) and path.is_file()


def form_of(path: Path) -> Form:
    """Recognises the form of a table. Raises InputError when it is not there or cannot be read."""
    if not path.is_file():
        raise InputError(f"{path} does not exist: put it there, or name another file.")
    try:
        with open_bytes(path) as file:
            head = file.read(200)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None
    for beginning, form in BEGINNINGS:
        if head.startswith(beginning):
            return form
    return Form.JSON_LINES if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else Form.TEXT


def read_spreadsheet(path: Path) -> Iterator[Row]:
    """Yields the rows of a spreadsheet's first sheet that has any, as text, with their numbers in the sheet."""
    import fastexcel

    _check_extent(path)
    try:
        book = fastexcel.read_excel(path)
        for number, _ in enumerate(book.sheet_names):
            # From the first row of the sheet on, so that rows have the numbers that the program shows.
            sheet = book.load_sheet(number, header_row=None, skip_rows=0, dtypes="string").to_polars()
            rows = [(line, row) for line, row in enumerate(sheet.iter_rows(), start=1) if any(row)]
            if rows:
                yield from rows
                return
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError) as error:
        raise unreadable(path, error) from None


def _check_extent(path: Path) -> None:
    """Raises InputError for an XLSX file whose cells would take far more memory than it has cells.

    A sheet is read as a whole, from its first cell to its last.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as book:
            for part in book.infolist():
                if part.file_size > max(ALWAYS_ALLOWED, MAX_RATIO * part.compress_size):
                    raise too_large(path)
                if part.filename.startswith("xl/worksheets/"):
                    with book.open(part) as sheet:
                        _check_sheet(path, sheet)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise unreadable(path, error) from None


def _check_sheet(path: Path, sheet: IO[bytes]) -> None:
    cells, last_row, last_column, rest = 0, 0, 0, b""
    while block := sheet.read(BLOCK):
        block = rest + block
        for column, row in CELL.findall(block):
            cells += 1
            last_row = max(last_row, int(row))
            last_column = max(last_column, reduce(lambda number, letter: number * 26 + letter - 64, column, 0))
        rest = block[block.rfind(b"<") :][:BLOCK]
    if last_row * last_column > max(MANY_CELLS, SPARSE * cells):
        raise InputError(
            f"{path} has a cell in row {last_row:,} or column {last_column:,}, far from the others: delete it, or save "
            "the table as CSV in UTF-8."
        )


def read_json_lines(path: Path, encoding: str) -> tuple[list[str], Iterator[Row]]:
    """Reads JSON lines: the columns, which are the keys of the first objects, and the rows."""
    names = list(dict.fromkeys(key for _, found in islice(read_objects(path, encoding), NAMED) for key in found))
    return names, ((line, [found.get(name) for name in names]) for line, found in read_objects(path, encoding))


def parquet_columns(path: Path) -> list[str]:
    """Lists the columns of a Parquet file."""
    try:
        with path.open("rb") as file:
            return list(pl.read_parquet_schema(file))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise unreadable(path, error) from None


def read_parquet_columns(path: Path, columns: list[str], rows: int | None = None) -> pl.DataFrame:
    """Reads columns of a Parquet file, or their first rows. The file is opened here: polars would expand patterns."""
    try:
        with path.open("rb") as file:
            return pl.read_parquet(file, columns=columns, n_rows=rows)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise unreadable(path, error) from None


def count_parquet_rows(path: Path) -> int:
    """Counts the rows of a Parquet file."""
    with path.open("rb") as file:
        return pl.scan_parquet(file).select(pl.len()).collect().item()


def unreadable(path: Path, error: Exception) -> InputError:
    """Returns the error for a file that the system refuses, or whose content does not match its first bytes."""
    refusal = isinstance(error, OSError) and error.strerror
    why = refusal or "it is damaged, protected by a password, or not of the format that it begins like"
    return InputError(f"{path} cannot be read: {why}. Get it again, or save it as CSV in UTF-8.")
