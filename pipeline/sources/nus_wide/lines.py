"""Lines of text files from elsewhere: numbered, and accounted for when they are malformed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pipeline.data.schema import DETAIL, PHOTO, REASON
from pipeline.errors import InputError

MALFORMED = "malformed line"
TWICE = "listed twice"
ODD_TAG = "odd tag"
NOT_IN_LIST = "not in a list"

LARGEST_ID = 2**63 - 1
SHOWN = 40
"""Bytes shown of the line that reveals a wrong file."""


class LineError(Exception):
    """A line that lacks the form of its file; the message names the fault."""


Problem = tuple[str | None, str, str]
"""A fault in a line: photo (None where there is none), reason, detail."""


@dataclass
class Lines:
    """The lines of one file that are not blank, as bytes, and the problems found in them."""

    path: Path
    kind: str
    """The kind of file, as it is named in a sentence: "NUS-WIDE's list of tags"."""
    problems: list[Problem] = field(default_factory=list)
    _read: int = 0
    _malformed: int = 0
    _first: str = ""

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yields numbers (from 1) and lines without their ends. Raises InputError when there is no such file."""
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                    if line.strip():
                        self._read += 1
                        yield number, line.rstrip(b"\r\n")
        except FileNotFoundError:
            raise InputError(f"{self.path} does not exist: put {self.kind} there.") from None
        except OSError as error:
            raise InputError(f"{self.path} cannot be read ({error.strerror}): put {self.kind} there.") from None

    def heading(self) -> None:
        """Discounts the current line: it is neither a good row nor a bad one."""
        self._read -= 1

    def malformed(self, number: int, line: bytes, error: LineError) -> None:
        """Notes a line that cannot be used."""
        self._malformed += 1
        if not self._first:
            shown = line[:SHOWN].decode(errors="replace") + "…" * (len(line) > SHOWN)
            self._first = f"line {number} is {shown!r}: {error}"
        self.note(None, MALFORMED, number, str(error))

    def note(self, photo: str | None, reason: str, number: int, more: str = "") -> None:
        """Notes a problem of a line; its detail is file, number and perhaps more."""
        where = f"{self.path.name}:{number}"
        self.problems.append((photo, reason, f"{where}: {more}" if more else where))

    def check(self) -> None:
        """Raises InputError when the file has no rows, or is another file: most of its rows are malformed."""
        if not self._read:
            raise InputError(f"{self.path} is empty: put {self.kind} there.")
        if 2 * self._malformed > self._read:
            raise InputError(f"{self.path} is not {self.kind} ({self._first}): put the right file there.")


def photo_id(field: bytes) -> str:
    """Reads a photo's id on Flickr. Raises LineError when the field is not one."""
    # isdigit of bytes accepts ASCII's digits only.
    if not field.isdigit() or field.startswith(b"0") or len(field) > 19 or int(field) > LARGEST_ID:
        raise LineError("no photo id")
    return field.decode()


def text(field: bytes) -> str:
    """Decodes UTF-8. Raises LineError when the field is something else."""
    try:
        return field.decode()
    except UnicodeDecodeError:
        raise LineError("not UTF-8") from None


def problem_frame(problems: list[Problem]) -> pl.DataFrame:
    """Makes a table of problems: photo, reason, detail."""
    return pl.DataFrame(problems, dict.fromkeys((PHOTO, REASON, DETAIL), pl.String), orient="row")
