"""Lines of text files, in blocks, with their numbers; compressed files are read in place."""

import bz2
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import polars as pl

from pipeline.errors import InputError, one_line

BLOCK = 16 * 1024**2
"""Bytes read at once."""
OPENERS = {".bz2": bz2.open, ".gz": gzip.open}
UNREADABLE = (EOFError, OSError, zlib.error)
"""The errors that reading a file raises when it is cut short or damaged."""

Block = tuple[int, pl.Series]
"""The number of a block's first line, and its lines without their ends; null for what is not text."""


def read_lines(path: Path, encoding: str = "utf-8") -> Iterator[Block]:
    """Yields the lines of a file, a block at a time. Raises InputError for a file that cannot be read."""
    number, rest = 1, b""
    try:
        with open_bytes(path) as file:
            while block := file.read(BLOCK):
                whole, end, rest = (rest + block).rpartition(b"\n")
                if end:
                    lines = _decode(whole, encoding)
                    yield number, lines
                    number += len(lines)
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read ({one_line(error)}): fetch it again.") from None
    if rest:
        yield number, _decode(rest, encoding)


def open_bytes(path: Path) -> BinaryIO:
    """Opens a file, compressed or not, for reading."""
    return OPENERS.get(path.suffix, open)(path, "rb")


def first_line(path: Path) -> str:
    """Returns the first line of a file; empty when it is not text."""
    try:
        with open_bytes(path) as file:
            start = file.readline(BLOCK)
    except UNREADABLE:
        return ""
    return _decode(start.removesuffix(b"\n"), "utf-8")[0] or ""


def _decode(block: bytes, encoding: str) -> pl.Series:
    """Splits bytes into lines of text; a line that is not in the encoding is null."""
    try:
        text = block.decode(encoding)
        lines = pl.select(pl.lit(pl.Series([text])).str.split("\n").explode()).to_series()
    except UnicodeDecodeError:
        lines = pl.Series([as_text(line, encoding) for line in block.split(b"\n")], dtype=pl.String)
    return lines.str.strip_suffix("\r").str.strip_prefix("\ufeff")


def as_text(data: bytes | None, encoding: str = "utf-8") -> str | None:
    """Decodes bytes; None when they are not in the encoding."""
    try:
        return None if data is None else data.decode(encoding)
    except UnicodeDecodeError:
        return None
