"""Text for the terminal: results on standard output, notes on standard error, no control characters in either."""

import io
import os
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


class ReaderLeft(Exception):
    """Results that nobody reads any more: there is nothing left to do, and no error."""


class LastingStream(io.FileIO):
    """A standard stream that drops what is written after its reader has left."""

    left = False
    """True once the reader has left."""

    def write(self, data: bytes) -> int | None:
        try:
            return super().write(data)
        except BrokenPipeError:
            self.left = True
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return memoryview(data).nbytes


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
def results(file: Path | None, alone: bool = True) -> Iterator[Write]:
    """Yields the function that writes results: to a file, which appears when all are there, or to standard output.

    alone: True when results are all that the command makes. It then ends, by ReaderLeft, with their reader.
    """
    if file is not None:
        check_result_file(file)
        with atomic(file) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            yield stream.write
        return

    def show(text: str) -> None:
        print(text, end="", flush=True)
        if alone and reader_left():
            raise ReaderLeft

    yield show


def open_closed_streams() -> None:
    """Connects standard streams that are closed with the null device: otherwise other files get their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def outlive_readers() -> None:
    """Lets standard output and error outlive their readers: work that was asked for does not stop with `head`."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not getattr(sys, f"__{name}__") or stream is None:  # A test or a notebook has put its own there.
            continue
        stream.flush()
        raw = LastingStream(stream.fileno(), "w", closefd=False)
        unbuffered = isinstance(stream.buffer, io.RawIOBase)
        lasting = io.TextIOWrapper(
            raw if unbuffered else io.BufferedWriter(raw),
            stream.encoding,
            stream.errors,
            line_buffering=stream.line_buffering,
            write_through=unbuffered,
        )
        setattr(sys, name, lasting)


def reader_left() -> bool:
    """Tests if the reader of standard output, such as `head`, has left."""
    buffer = getattr(sys.stdout, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return isinstance(raw, LastingStream) and raw.left
