"""The witness of a journal: notices that other programs than SQLite delete, replace or overwrite an open file."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import InputError


class FullJournalError(InputError):
    """A journal that takes no more."""


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Locks a journal against other services while the block runs: a witness cannot tell their commits from its own.

    Raises InputError while another service has it, and for a file of two names: SQLite has a log for each.
    """
    path = path.resolve()
    if path.exists() and path.stat().st_nlink > 1:
        raise InputError(f"{path} has another name (a hard link), which another service may use: serve a copy of it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    # A file of its own: closing one that SQLite has open would drop the locks of SQLite.
    lock = os.open(path.with_name(f"{path.name}-lock"), os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # The system unlocks it when this process is killed.
        except BlockingIOError:
            raise InputError(f"Another service is using {path}: stop that one, or name another journal.") from None
        yield
    finally:
        os.close(lock)


class Witness:
    """The state in which SQLite left an open file: whatever else writes to it changes its size or time.

    connection: in WAL mode, the only one of this process that writes to the file.

    The state counts only while all of the log is in the file and no other connection has committed since. Then SQLite
    has nothing to write to the file.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path):
        self._connection, self._path = connection, path
        self._inode = _inode(path.stat())
        self._state: tuple[int, int, int] | None = None
        self.remember()

    def remember(self) -> None:
        """Takes the present state for good, after a commit. Raises FullJournalError when the file is gone."""
        self._state = None
        try:
            commits = self._commits()
            _, logged, written = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            state = self._stat()
            if logged == written >= 0 and commits == self._commits():
                self._state = (commits, *state)
        except sqlite3.Error:  # The commit counts all the same.
            self._stat()

    def check(self) -> None:
        """Raises FullJournalError unless the file is as it was; within a transaction that locks out other writers."""
        state = (self._commits(), *self._stat())
        if self._state is not None and state[0] == self._state[0] and state != self._state:
            raise _lost()

    def _commits(self) -> int:
        """Returns a number that changes when another connection has committed."""
        return self._connection.execute("PRAGMA data_version").fetchone()[0]

    def _stat(self) -> tuple[int, int]:
        # Never by opening the file: closing it would drop the locks that SQLite has on it in this process.
        try:
            found = self._path.stat()
        except FileNotFoundError:
            raise _lost() from None
        if _inode(found) != self._inode:
            raise _lost()
        return found.st_size, found.st_mtime_ns


def _inode(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _lost() -> FullJournalError:
    return FullJournalError(
        "The journal was deleted, replaced or overwritten, and keeps no more posts: restart the service."
    )
