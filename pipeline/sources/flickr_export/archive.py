"""The files of an export: in a folder, and in the zip files there, which are read in place."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pipeline.sources.photo_files import list_files

BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError, ValueError)
"""The errors of zip files that are damaged, encrypted, or compressed in an unknown way."""


class UnreadableError(Exception):
    """A file that cannot be read; the message says why."""


@dataclass(frozen=True)
class Member:
    """A file of an export. Its name serves for recognition and messages, never as a path where something is written."""

    file: str
    """The file that holds it: a zip file, or itself; a path below the export's folder."""
    name: str
    """Its own name, without folders."""
    size: int
    """Its bytes, as the zip file says."""
    entry: zipfile.ZipInfo | None
    """Its entry in the zip file, None outside of one."""

    @property
    def place(self) -> str:
        """The words by which messages name it."""
        return self.file if self.entry is None else f"{self.file}: {self.name}"


class Archive:
    """All files of an export, sorted by where they are. Zip files stay open until the end."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._zips: dict[str, zipfile.ZipFile] = {}
        self._stack = ExitStack()
        self.unreadable: list[tuple[str, str]] = []
        """Zip files that cannot be opened, each with the reason."""

    def __enter__(self) -> Self:
        for file in sorted(list_files(self.folder)):
            if file.lower().endswith(".zip"):
                try:
                    self._zips[file] = self._stack.enter_context(zipfile.ZipFile(self.folder / file))
                except BROKEN as error:
                    self.unreadable.append((file, _reason(error)))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def members(self) -> Iterator[Member]:
        """Yields the files, those of zip files in the order of their entries."""
        for file in sorted(list_files(self.folder)):
            if file in self._zips:
                for entry in self._zips[file].infolist():
                    if not entry.is_dir():
                        yield Member(file, _last_part(entry.filename), entry.file_size, entry)
            elif not file.lower().endswith(".zip"):
                yield Member(file, _last_part(file), (self.folder / file).stat().st_size, None)

    def read(self, member: Member, limit: int) -> bytes:
        """Reads a file of at most `limit` bytes, whatever its entry says of its size. Raises UnreadableError."""
        try:
            if member.entry is None:
                opened = (self.folder / member.file).open("rb")
            else:
                opened = self._zips[member.file].open(member.entry)
            with opened as file:
                data = file.read(limit + 1)
        except BROKEN as error:
            raise UnreadableError(_reason(error)) from None
        if len(data) > limit:
            raise UnreadableError(f"more than {limit:,} bytes")
        return data

    def state(self, member: Member) -> tuple[str, str, int, int]:
        """Returns all that decides a file's content: its place, and the size and age of what holds it."""
        stat = (self.folder / member.file).stat()
        return member.file, member.name, stat.st_size, stat.st_mtime_ns


def _last_part(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _reason(error: Exception) -> str:
    if isinstance(error, RuntimeError) and "encrypted" in str(error):
        return "encrypted"
    return (error.strerror or "damaged") if isinstance(error, OSError) else "damaged"
