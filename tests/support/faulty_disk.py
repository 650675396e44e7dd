"""A disk that fails, or a process that dies, at the n-th change of a folder: for a process of its own.

Python announces changes by audit events, which may refuse them; files that it opens for writing announce their writes
here, and so does SQLite. What other libraries write by themselves, from C or Rust, is seen when it is renamed alone.
"""

import builtins
import errno
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.support.faulty_sqlite import WRITING, watch_sqlite

Fault = Literal["full", "broken", "read-only", "kill"]
"""A disk without room, one that fails once, one that takes no change from then on; or the process is killed."""

ERRORS = {"full": errno.ENOSPC, "broken": errno.EIO, "read-only": errno.EROFS}
TAKES_ROOM = {"open", "write", "mkdir", "symlink"}
"""The changes that a full disk refuses."""
UNSEEN = "unseen"
"""The word for a renamed file that was not seen to be written."""

EVENTS = {
    "os.rename": ("rename", 0, 2),
    "os.remove": ("remove", 0, 1),
    "os.rmdir": ("rmdir", 0, 1),
    "os.mkdir": ("mkdir", 0, 2),
    "os.symlink": ("symlink", 1, 2),
    "os.chmod": ("chmod", 0, 2),
    "os.utime": ("utime", 0, 3),
}
"""The audit events of changes: a word for each, and where among its arguments the path is and its folder's number."""


@dataclass
class FaultyDisk:
    """A folder whose changes are counted, and fail from the n-th on as the fault says."""

    folder: Path
    fault: Fault
    at: int
    journal: int
    """The descriptor of a file that gets a line for each change: what is done, and to which path in the folder."""
    reads: int
    """The descriptor of a file that gets a line for each path in the folder that is opened to be read."""
    _number: int = 0
    _seen: set[Path] = field(default_factory=set)

    def install(self) -> None:
        """Watches this process until it ends: audit hooks cannot be taken back."""
        sys.addaudithook(self._audit)
        builtins.open = io.open = self._open
        os.sendfile = self._announced("write", os.sendfile)
        os.fsync = self._announced("fsync", os.fsync)
        watch_sqlite(self.change)

    def change(self, kind: str, path: Path, *name: str, to: Path | None = None) -> None:
        """Counts a change that the fault concerns; refuses it, or kills the process, when its turn has come.

        name: the path as it was given, for the error; that of a write to an open file has none.
        to: the new path of what is renamed.
        """
        if not path.is_relative_to(self.folder) or (self.fault == "full" and kind not in TAKES_ROOM):
            return
        paths = (os.path.relpath(each, self.folder) for each in (path, to) if each)
        os.write(self.journal, os.fsencode(f"{kind} {' → '.join(paths)}\n"))
        number, self._number = self._number, self._number + 1
        if number == self.at or (number > self.at and self.fault != "broken"):
            if self.fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(ERRORS[self.fault], os.strerror(ERRORS[self.fault]), *name)

    def _audit(self, event: str, arguments: Sequence[Any]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, int):
                return
            if flags & WRITING:
                self.change("open", _located(path), os.fsdecode(path))
            elif _located(path).is_relative_to(self.folder):
                os.write(self.reads, os.fsencode(f"{_located(path).relative_to(self.folder)}\n"))
        elif event in EVENTS:
            kind, path, parent = EVENTS[event]
            place = _located(arguments[path], arguments[parent])
            if os.path.lexists(place) != (kind in ("mkdir", "symlink")):  # Or the system has another reason to refuse.
                to = _located(arguments[1], arguments[3]) if kind == "rename" else None
                self.change(kind, place, os.fsdecode(arguments[path]), to=to)
                if to:
                    self._follow(place, to)

    def _follow(self, old: Path, new: Path) -> None:
        """Notes the new name of a file, or of those in a folder, and which were written unseen."""
        for file in [old, *old.rglob("*")]:
            if file.is_file():
                self._seen.add(new / file.relative_to(old))
                if file not in self._seen:
                    os.write(self.journal, os.fsencode(f"{UNSEEN} {file.relative_to(self.folder)}\n"))

    def _open(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Callable[[str, int], int] | None = None,
    ) -> Any:
        """Opens a file as `open` does; the writes of one that is opened for writing are counted."""
        if isinstance(file, int) or opener or not set(mode) & set("wax+"):
            return _OPEN(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = _File(file, mode.replace("b", "").replace("t", ""), self)
        self._seen.add(raw.path)
        if buffering == 0:
            return raw
        buffered = (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    def _announced(self, kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(number: int, *arguments: Any) -> Any:
            self.change(kind, Path(f"/proc/self/fd/{number}").readlink())
            return function(number, *arguments)

        return call


class _File(io.FileIO):
    """A file whose writes are announced when they are half done."""

    def __init__(self, path: Any, mode: str, disk: FaultyDisk):
        super().__init__(path, mode)
        self.path, self._disk = _located(path), disk
        self._refusal: OSError | None = None

    def write(self, data: Any) -> int:
        if self._refusal:
            error, self._refusal = self._refusal, None
            raise error
        whole = memoryview(data).cast("B")
        middle = len(whole) // 2
        super().write(whole[:middle])
        try:
            self._disk.change("write", self.path)
        except OSError as error:
            if not middle:
                raise
            self._refusal = error  # As the system does: the first half is written, and the next write is refused.
            return middle
        return middle + super().write(whole[middle:])


_OPEN = io.open


def _located(path: Any, parent: int = -1) -> Path:
    """Makes a path absolute, from its folder's file descriptor if it has one."""
    folder = Path(f"/proc/self/fd/{parent}").readlink() if parent >= 0 else Path.cwd()
    return Path(os.path.normpath(folder / os.fsdecode(path)))
