"""Text for the terminal: results on standard output, notes on standard error, no control characters in either."""

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import InputError
from pipeline.files.atomic import atomic

JOINERS = "\u200c\u200d"
"""Invisible characters that belong to words and emoji."""

FORMATS = ("table", "csv", "json")
"""The forms of a table of results."""

Write = Callable[[str], object]


def printable(value: object) -> str:
    """Returns a text with escapes for control characters, and for those that turn the direction."""
    return "".join(
        character
        if character.isprintable() or character in JOINERS
        else character.encode("unicode_escape").decode("ascii")
        for character in str(value)
    )


def say(sentence: str) -> None:
    """Prints a note on standard error, where it is not part of the results."""
    print(printable(sentence), file=sys.stderr)


def check_result_file(file: Path) -> None:
    """Raises InputError for what no file of results may replace: a folder, a device, the file of a standard stream."""
    if file.exists() and (
        not file.is_file() or any(os.path.samestat(file.stat(), os.fstat(each)) for each in range(3))
    ):
        raise InputError(f"{file} is not an ordinary file: name another.")


def check_result_folder(folder: Path) -> None:
    """Raises InputError for a folder of results that cannot be one, because a file is there or above it."""
    for path in (folder, *folder.parents):
        if path.exists():
            if not path.is_dir():
                raise InputError(f"{path} is a file: name a folder.")
            return
        if path.is_symlink():
            raise InputError(f"{path} is a broken link: name a folder.")


@contextmanager
def results(file: Path | None) -> Iterator[Write]:
    """Yields the function that writes results: to a file, which appears when all are there, or to standard output."""
    if file is not None:
        check_result_file(file)
        with atomic(file) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            yield stream.write
        return
    yield lambda text: print(text, end="", flush=True)


def open_closed_streams() -> None:
    """Connects standard streams that are closed with the null device: otherwise other files get their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def reader_left() -> bool:
    """Tests if the reader of standard output, such as `head`, has left; if so, drops the rest of the output."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    left = any(event & select.POLLERR for _, event in poll.poll(0))
    if left:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return left
