"""One table of a journal: items that are asked for, each with its status."""

import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar

from pipeline.errors import InputError
from pipeline.files.rows import check_structure, damaged_rows, seal_rows
from pipeline.sources.flickr.outcome import ASKED_AGAIN, FINAL_FAILURES, NEVER_ASKED, PENDING, PENDING_RETRY

COLUMNS = """
    listed INTEGER NOT NULL,             -- 1 when it is wanted now
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, -- requests made for it
    time INTEGER,                        -- of the last of them, seconds since 1970
    reason TEXT NOT NULL DEFAULT ''"""
"""The columns of such a table after its `id`."""


class Statuses:
    """The items of one table. Each change is committed when it is made."""

    table: ClassVar[str]
    """The table, which has `id` and COLUMNS."""
    sealed: ClassVar[Sequence[str]]
    """The tables whose rows are sealed: this one, and those that belong to it."""

    def __init__(self, connection: sqlite3.Connection):
        self.connection = connection
        for table in self.sealed:
            seal_rows(connection, table)

    def damaged(self) -> dict[str, list[int]]:
        """Returns the damaged rows of each sealed table. Raises sqlite3.DatabaseError where a table is broken."""
        check_structure(self.connection, self.sealed)
        return {table: damaged_rows(self.connection, table) for table in self.sealed}

    def expect(self, items: Iterable[str], never_asked: Mapping[str, str] | None = None) -> None:
        """Lists items: new ones as pending, those that are `never_asked` for with the reason as their status.

        An item that was never asked for and is wanted now becomes pending; other rows stay as they are. Items that are
        no longer listed keep their rows, but no longer count.
        """
        never_asked = never_asked or {}
        wanted = ((item, never_asked.get(item, PENDING)) for item in items)
        with self.transaction():
            # Rows that stay as they are need no new seals.
            self.connection.execute(f"CREATE TEMP TABLE wanted AS SELECT id, status FROM {self.table} LIMIT 0")
            self.connection.executemany("INSERT INTO wanted VALUES (?, ?)", wanted)
            self.connection.execute(
                f"UPDATE {self.table} SET listed = 0 WHERE listed AND id NOT IN (SELECT id FROM wanted)"
            )
            self.connection.execute(
                f"INSERT INTO {self.table} (id, listed, status) SELECT id, 1, status FROM wanted WHERE TRUE "
                "ON CONFLICT (id) DO UPDATE SET listed = 1, status = "
                f"iif(excluded.status = '{PENDING}' AND status NOT IN {NEVER_ASKED}, status, excluded.status) "
                f"WHERE NOT listed OR status IN {NEVER_ASKED} OR excluded.status <> '{PENDING}'"
            )
            self.connection.execute("DROP TABLE wanted")

    def ask_again(self, statuses: Collection[str]) -> int:
        """Makes the items of some final statuses pending, to ask for them once more. Returns their number.

        Raises InputError for a status that is not final.
        """
        if unknown := sorted(set(statuses) - set(FINAL_FAILURES)):
            raise InputError(
                f"{unknown[0]!r} is not a status to request again; it must be one of {', '.join(FINAL_FAILURES)}."
            )
        marks = ", ".join("?" * len(statuses))
        return self.connection.execute(
            f"UPDATE {self.table} SET status = '{PENDING_RETRY}' WHERE listed AND status IN ({marks})", tuple(statuses)
        ).rowcount

    def waiting(self) -> dict[str, str]:
        """Returns the listed items that are pending, with their statuses: those never put off first, then by id."""
        rows = self.connection.execute(
            f"SELECT id, status FROM {self.table} WHERE listed AND status IN {ASKED_AGAIN} "
            f"ORDER BY status <> '{PENDING}', id"
        )
        return {str(item): status for item, status in rows}

    def record(self, item: str, status: str, requests: int, reason: str = "") -> None:
        """Records the outcome of a visit."""
        self.connection.execute(
            f"UPDATE {self.table} SET status = ?, attempts = attempts + ?, time = ?, reason = ? WHERE id = ?",
            (status, requests, int(time.time()), reason, item),
        )

    def summary(self) -> dict[str, int]:
        """Counts the listed items of each status, the most frequent first."""
        return dict(
            self.connection.execute(
                f"SELECT status, COUNT(*) FROM {self.table} WHERE listed GROUP BY status ORDER BY COUNT(*) DESC, status"
            )
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Makes all changes of a block one: a process that is killed has made them all, or none."""
        with self.connection:  # Commits, or rolls back.
            self.connection.execute("BEGIN IMMEDIATE")
            yield
