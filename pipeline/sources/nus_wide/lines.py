"""Lines of text files that come from elsewhere: numbered, and accounted for when they are not as they should be."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pipeline.errors import InputError

MALFORMED = "malformed line"
TWICE = "listed twice"
NOT_IN_LIST = "not in a list"

LARGEST_ID = 2**63 - 1
SHOWN = 40
"""Bytes shown of a line that tells a wrong file."""


class LineError(Exception):
    """A line has not the form that it should have; the message says what is wrong."""


@dataclass
class Lines:
    """The lines of one file that are not blank, as bytes, with what was wrong in them.

    what: the kind of the file in a sentence ("NUS-WIDE's list of tags"). Bytes are split at ASCII white space alone:
    names may hold other kinds of it.
    """

    path: Path
    what: str
    problems: list[tuple[str | None, str, str]] = field(default_factory=list)
    _read: int = 0
    _malformed: int = 0
    _first: str = ""

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Numbers (from 1) and lines, without their ends. Raises InputError when there is no such file."""
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                    if line.strip():
                        self._read += 1
                        yield number, line.rstrip(b"\r\n")
        except FileNotFoundError:
            raise InputError(f"{self.path} does not exist: put {self.what} there.") from None
        except OSError as error:
            raise InputError(f"{self.path} cannot be read ({error.strerror}): put {self.what} there.") from None

    def heading(self) -> None:
        """Takes back the line at hand: it is no row, neither a good one nor a bad one."""
        self._read -= 1

    def malformed(self, number: int, line: bytes, error: LineError) -> None:
        """Notes a line that cannot be used."""
        self._malformed += 1
        if not self._first:
            shown = line[:SHOWN].decode(errors="replace") + "…" * (len(line) > SHOWN)
            self._first = f"line {number} is {shown!r}: {error}"
        self.note(None, MALFORMED, number, str(error))

    def note(self, photo: int | None, reason: str, number: int, more: str = "") -> None:
        """Notes what is wrong with a line: file, number, and what else there is to say."""
        where = f"{self.path.name}:{number}"
        self.problems.append((None if photo is None else str(photo), reason, f"{where}: {more}" if more else where))

    def check(self) -> None:
        """Raises InputError when the file has no rows, or fewer than half have the form: it is another file."""
        if not self._read:
            raise InputError(f"{self.path} is empty: put {self.what} there.")
        if 2 * self._malformed > self._read:
            raise InputError(f"{self.path} is not {self.what} ({self._first}): put the right file there.")


def photo_id(field: bytes) -> int:
    """A photo's id on Flickr. Raises LineError when it is none."""
    # isdigit of bytes knows ASCII's digits alone.
    if not field.isdigit() or field.startswith(b"0") or len(field) > 19 or int(field) > LARGEST_ID:
        raise LineError("no photo id")
    return int(field)


def text(field: bytes) -> str:
    """Bytes as text. Raises LineError when they are not UTF-8."""
    try:
        return field.decode()
    except UnicodeDecodeError:
        raise LineError("not UTF-8") from None


def problem_frame(problems: list[tuple[str | None, str, str]]) -> pl.DataFrame:
    """photo (null where there is none), reason, detail."""
    return pl.DataFrame(problems, dict.fromkeys(("photo", "reason", "detail"), pl.String), orient="row")
