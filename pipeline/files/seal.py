"""Seals: the SHA-256 of a file, stored in the file itself, which reveals damage to any bit.

The digits follow `MARK`, in the metadata at the end of a Parquet file, and at the start of any other file. They are
computed with zeros in their own place: a file is written with `UNSEALED`, and then sealed.
"""

import hashlib
import mmap
from pathlib import Path

from pipeline.errors import DamagedError, InputError

SEAL = "seal"
"""The key of the seal in the metadata of a file."""
MARK = b"sealed-by-sha256:"
DIGITS = 64
UNSEALED = MARK.decode() + DIGITS * "0"
"""The seal of a file that is being written."""
PARQUET = b"PAR1"
"""The first bytes of a Parquet file."""


def seal(path: Path) -> None:
    """Replaces the zeros in a file that was written with `UNSEALED` by its SHA-256."""
    place, found = _digest(path)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(found)


def check_seal(path: Path) -> None:
    """Raises DamagedError for a file without a matching seal, OSError for one that cannot be read."""
    place, found = _digest(path)
    with path.open("rb") as file:
        file.seek(place)
        if file.read(DIGITS) != found:
            raise DamagedError(f"{path} is damaged: its bytes are not those that were written.")


def _digest(path: Path) -> tuple[int, bytes]:
    """Returns the place of the digits in a file, and the digits that belong there."""
    with path.open("rb") as file:
        if not file.read(1):
            raise DamagedError(f"{path} is damaged: it is empty.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            # The data may contain the mark as well, before the footer of Parquet, and after the start of other files.
            found = data.rfind(MARK) if data[: len(PARQUET)] == PARQUET else data.find(MARK)
            if found < 0:
                raise DamagedError(f"{path} is damaged, or was written by another version: it lacks its own SHA-256.")
            place = found + len(MARK)
            digest = hashlib.sha256()
            with memoryview(data) as view:
                digest.update(view[:place])
                digest.update(DIGITS * b"0")
                digest.update(view[place + DIGITS :])
            return place, digest.hexdigest().encode()


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal. Raises InputError when there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
