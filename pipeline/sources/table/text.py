"""Text files of rows: values between delimiters, some of them in quotation marks; or one JSON object a line."""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipeline.data.names import quote
from pipeline.errors import InputError, SettingError
from pipeline.sources.table.encoding import bad_byte, open_bytes
from pipeline.words import counted

DELIMITERS = (",", ";", "\t", "|")
"""The usual delimiters."""
STATED = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""A first line that states the delimiter, as spreadsheet programs write and read it."""
LONGEST_LINE = 1 << 24
"""Characters of a line, at most."""

Row = tuple[int, Sequence[str | None]]
"""The line where a row begins, and its values."""


@dataclass(frozen=True)
class Dialect:
    """The form of a text file."""

    encoding: str
    """The encoding, by its name in Python."""
    delimiter: str
    """The character between values."""
    quoted: bool
    """True when values may stand in double quotation marks."""


def lines(path: Path, encoding: str) -> Iterator[str]:
    """Yields the lines of a text with their ends: of Unix, of Windows or of the old Macintosh.

    A byte order mark is not part of the first. Raises InputError for a line of more than LONGEST_LINE characters.
    """
    try:
        with open_bytes(path) as file, io.TextIOWrapper(file, encoding, newline="") as text:
            for number, line in enumerate(iter(lambda: text.readline(LONGEST_LINE), ""), start=1):
                if len(line) == LONGEST_LINE:
                    raise InputError(
                        f"{path}, line {number} has more than {LONGEST_LINE:,} characters: save it as a table with one "
                        "row a line."
                    )
                yield line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeError:
        raise bad_byte(path, encoding) from None


def read_rows(path: Path, dialect: Dialect) -> Iterator[Row]:
    """Yields the rows of a text file that have any value, as they stand there, header included.

    Raises InputError, with the line, where quotation marks or the encoding are broken.
    """
    reader = csv.reader(
        lines(path, dialect.encoding),
        delimiter=dialect.delimiter,
        quoting=csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE,
        skipinitialspace=dialect.delimiter != " ",
        strict=True,
    )
    start = 1
    try:
        for row in reader:
            if any(row) and not (start == 1 and STATED.fullmatch(dialect.delimiter.join(row))):
                yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        raise _broken(path, start, str(error), dialect) from None


def _broken(path: Path, line: int, error: str, dialect: Dialect) -> InputError:
    """Returns the error for a row that the reader refuses, which begins at `line`."""
    if "field limit" in error:
        return InputError(
            f"{path}, line {line} begins a value of more than {csv.field_size_limit():,} characters: close its "
            "quotation marks, or save the file as a table with one row a line."
        )
    text = next(islice(lines(path, dialect.encoding), line - 1, None)).rstrip()
    where = "is never closed" if "end of data" in error else "is followed by more text than its closing mark"
    return SettingError(
        "quoted",
        f"is true, but a quotation mark opened in {path}, line {line} {where}: {quote(text)}. "
        "Correct the line, or choose false if quotation marks are part of the values.",
    )


def split_rows(path: Path, rows: Iterator[Row], columns: Sequence[str]) -> Iterator[Row]:
    """Yields the rows below the header with as many values as there are columns: None where a row ends early."""
    width = len(columns)
    for line, row in rows:
        if len(row) > width and any(value.strip() for value in row[width:] if value):
            raise InputError(
                f"{path}, line {line} has {counted(len(row), 'values')} for {counted(width, 'columns')}: "
                f"{quote(row[-1])} is one too many. A value that has the delimiter in it needs quotation marks."
            )
        yield line, row if len(row) == width else [*row, *[None] * (width - len(row))][:width]


def recognise_delimiter(path: Path, encoding: str, quoted: bool) -> str:
    """Recognises the delimiter of a text file: as stated, or splitting its first rows into most values, all alike."""
    if stated := STATED.fullmatch(next(lines(path, encoding), "")):
        return stated[1]

    def fitness(delimiter: str) -> tuple[int, int]:
        try:
            widths = [len(row) for _, row in islice(read_rows(path, Dialect(encoding, delimiter, quoted)), 20)]
        except InputError:
            return 0, 0
        first = widths[0] if widths else 0
        return first if first > 1 and widths.count(first) * 2 >= len(widths) else 0, widths.count(first)

    return max(DELIMITERS, key=fitness)


def read_objects(path: Path, encoding: str) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Yields the objects of JSON lines, with line numbers; numbers and lists are the text that they have."""
    for number, line in enumerate(lines(path, encoding), start=1):
        if not line.strip("\ufeff \t\r\n"):
            continue
        try:
            found = json.loads(line.lstrip("\ufeff"), parse_float=str, parse_int=str)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise InputError(f"{path}, line {number} is not a JSON object: {quote(line.strip())}. Correct it.")
        yield number, {key: _as_text(value) for key, value in found.items()}


def _as_text(value: object) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode(errors="ignore").decode()  # Without halves of surrogate pairs, which JSON can spell.
