"""The bytes of a text file, compressed or not, and their encoding."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import InputError

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks with their encodings; that of UTF-32 begins like that of UTF-16."""
GZIP = b"\x1f\x8b"
PREFERRED = "cp1252"
"""The encoding that is chosen where several fit the bytes equally well: that of Windows in western Europe."""
OTHERS = ("cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp932", "gb18030", "big5", "cp949", "koi8_r")
"""Encodings that are considered, apart from the usual one."""
BLOCK = 1 << 20
"""Bytes that are read at once."""
ALWAYS_ALLOWED, MAX_RATIO = 1 << 26, 100
"""Decompressed bytes that any file may have, and the greatest ratio of compression of one with more."""


class Decompressed(io.RawIOBase):
    """The bytes of a file of gzip. Raises InputError where they are far more than text is."""

    def __init__(self, path: Path, file: BinaryIO):
        self.path, self.archive, self.count = path, gzip.GzipFile(fileobj=file), 0
        self.most = max(ALWAYS_ALLOWED, MAX_RATIO * path.stat().st_size)

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: memoryview) -> int:
        """Reads some bytes into a buffer; returns their number."""
        count = self.archive.readinto(buffer)
        self.count += count
        if self.count > self.most:
            raise too_large(self.path)
        return count


def too_large(path: Path) -> InputError:
    """Returns the error for a file that holds far more than a table of its size does."""
    return InputError(
        f"{path} is compressed to less than 1/{MAX_RATIO} of its size, as no table is: check what it holds."
    )


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Opens a file, decompressed if it is one of gzip. Raises InputError where its compression is broken."""
    with path.open("rb") as file:
        compressed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        try:
            yield io.BufferedReader(Decompressed(path, file), BLOCK) if compressed else file
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise InputError(f"{path} is a damaged gzip file: get it again.") from None


def recognise_encoding(path: Path) -> tuple[str, str | None]:
    """Recognises the encoding of a text file: by its mark, else UTF-8 if it is, else by its letters.

    Returns the encoding and, where it is a guess by letters, a word as it reads. Raises InputError for a file of UTF-8
    with broken places, and for bytes that are text in no encoding.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_bytes(path) as file:
        block = file.read(BLOCK)
        for mark, encoding in MARKS:
            if block.startswith(mark):
                return encoding, None
        if block.count(0) > len(block) // 4:  # Every other byte of western text in UTF-16 is zero.
            return ("utf-16-le" if block[1:2] == b"\0" else "utf-16-be"), None
        try:
            while block:
                decoder.decode(block)
                block = file.read(BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return _guess(path)
    return "utf-8", None


def _guess(path: Path) -> tuple[str, str]:
    """Guesses the encoding of a text that is not UTF-8; returns it, and a word as it reads."""
    from charset_normalizer import from_bytes

    with open_bytes(path) as file:
        sample = b"\n".join([line for line in file.read().splitlines() if not line.isascii()][:2000])
    as_utf8 = sample.decode("utf-8", "replace")
    broken = as_utf8.count("\ufffd")
    if sum(not letter.isascii() for letter in as_utf8) > 2 * broken:  # UTF-8, most of it.
        raise bad_byte(path, "utf-8")
    matches = from_bytes(sample, cp_isolation=[PREFERRED, *OTHERS], preemptive_behaviour=False)
    best = matches.best()
    if best is None:
        raise bad_byte(path, "utf-8")
    equal = [each for each in matches if (each.chaos, each.coherence) == (best.chaos, best.coherence)]
    fits = any(PREFERRED in each.could_be_from_charset for each in equal)
    encoding = PREFERRED if fits and _is_prose(sample.decode(PREFERRED, "replace")) else best.encoding
    words = re.findall(r"[^\s,;|\"]+", sample.decode(encoding, "replace"))
    return encoding, next((word for word in words if not word.isascii()), "")[:60]


def _is_prose(text: str) -> bool:
    """Decides whether all that is not ASCII is letters, or marks that stand in prose."""
    return all(letter.isascii() or letter.isalpha() or letter in "«»“”„‘’–—…°€" for letter in text)


def bad_byte(path: Path, encoding: str) -> InputError:
    """Returns the error for the first place of a text that is not of its encoding, with its line."""
    with open_bytes(path) as file:
        whole = file.read()
    try:
        whole.decode(encoding)
    except UnicodeDecodeError as error:
        before = whole[: error.start].decode(encoding).splitlines() or [""]
        after = whole[error.start : error.start + 10].decode("ascii", "backslashreplace")
        quoted = f"{before[-1][-30:]}{after}".splitlines()[0]
        return InputError(
            f"{path}, line {len(before)} has a byte that is not {encoding}, in {quoted!r}: correct it, or state "
            "another encoding."
        )
    except UnicodeError:  # Not one bad byte, but all of the text: UTF-16 without a byte order mark.
        return InputError(f"{path} is not {encoding}: state another encoding.")
    return InputError(f"{path} is text in no known encoding: save it as UTF-8.")
