"""Rows of SQLite with seals: the SHA-256 of a row's other columns, which reveals damage to it.

Damage to the structure of tables and indexes, by which rows can be lost, is found by `check_structure`.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import InputError, one_line
from pipeline.files.seal import SEAL

REMEDIES = {
    sqlite3.SQLITE_BUSY: "wait for the end of the process that holds it",
    sqlite3.SQLITE_CANTOPEN: "check permissions and free space",
    sqlite3.SQLITE_FULL: "free some space",
    sqlite3.SQLITE_IOERR: "check the disk and its free space",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable",
}
"""Remedies for a file that may be whole, by SQLite's primary code of the error."""
MAGIC = bytes.fromhex("d9d505f920a163d7")
"""The last bytes of a rollback journal that names another file (SQLite's file format, section 3)."""


def check_rollback(path: Path) -> None:
    """Raises InputError where SQLite, when it opens a file, would delete another one, which may be any.

    A rollback journal next to the file names it: a super-journal, as transactions have that change several files.
    """
    path = path.resolve()
    log = path.with_name(f"{path.name}-journal")
    if not os.path.lexists(log):
        return
    # Not opened unless it is a file: a pipe would block.
    if log.is_symlink() or not log.is_file() or _end(log) == MAGIC:
        raise InputError(
            f"{path} cannot be opened safely: {log.name} next to it may name any file, for SQLite to delete. Move that "
            "one away, and restore a copy if the rest is damaged."
        )


def _end(file: Path) -> bytes:
    with file.open("rb") as stream:
        stream.seek(-min(len(MAGIC), file.stat().st_size), os.SEEK_END)
        return stream.read()


def explain_refusal(error: sqlite3.Error, otherwise: str) -> str:
    """Returns why SQLite refuses a file, with the remedy; `otherwise` for one that is damaged, or none of SQLite's."""
    return f"({one_line(error)}): {REMEDIES.get(code_of(error), otherwise)}"


def code_of(error: sqlite3.Error) -> int:
    """Returns SQLite's primary code of an error; that of damage for one by Python, on text that is not UTF-8."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF


def check_schema(connection: sqlite3.Connection) -> None:
    """Raises sqlite3.DatabaseError for a file whose schema cannot be read."""
    try:
        connection.execute("SELECT name FROM sqlite_master")
    except UnicodeDecodeError:  # SQLite quotes what it cannot read.
        raise sqlite3.DatabaseError("its schema is damaged") from None


def seal_rows(connection: sqlite3.Connection, table: str) -> None:
    """Seals each row of a table when it is added or changed, by triggers of this connection.

    A table without seals gets them for its present rows. The connection must not open transactions by itself.
    """
    connection.create_function("sealed", -1, _seal, deterministic=True)
    columns = _columns(connection, table)
    if SEAL not in columns:
        _add_seals(connection, table)
    columns = [name for name in columns if name != SEAL]
    for event in ("INSERT", f"UPDATE OF {', '.join(columns)}"):
        connection.execute(
            f"CREATE TEMP TRIGGER {table}_{event[:6]} AFTER {event} ON {table} BEGIN "
            f"UPDATE {table} SET {SEAL} = {_sealed(columns, 'NEW')} WHERE rowid = NEW.rowid; END"
        )


def intact_condition(connection: sqlite3.Connection, table: str) -> str:
    """Returns the SQL condition that a row of a sealed table matches its seal."""
    columns = [name for name in _columns(connection, table) if name != SEAL]
    return f"{table}.{SEAL} IS {_sealed(columns, table)}"


def damaged_rows(connection: sqlite3.Connection, table: str) -> list[int]:
    """Lists the rows of a sealed table, by rowid, that do not match their seals."""
    rows = connection.execute(f"SELECT rowid FROM {table} WHERE NOT {intact_condition(connection, table)}")
    return [number for (number,) in rows]


def check_structure(connection: sqlite3.Connection, tables: Iterable[str]) -> None:
    """Raises sqlite3.DatabaseError for tables whose structure, or that of their indexes, is damaged."""
    for table in tables:
        (found,) = connection.execute(f"PRAGMA integrity_check({table})").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(f"its table {table!r} is damaged")


def _add_seals(connection: sqlite3.Connection, table: str) -> None:
    with connection:  # Commits, or rolls back.
        connection.execute("BEGIN IMMEDIATE")
        columns = _columns(connection, table)
        if SEAL not in columns:  # Another process may have been faster.
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {SEAL} BLOB")
            connection.execute(f"UPDATE {table} SET {SEAL} = {_sealed(columns, table)}")


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]


def _sealed(columns: Iterable[str], row: str) -> str:
    """Returns the SQL expression for the seal of a row."""
    # As bytes, because damaged text may not be valid UTF-8.
    values = (f"typeof({row}.{name}), CAST({row}.{name} AS BLOB)" for name in columns)
    return f"sealed({', '.join(values)})"


def _seal(*values: str | bytes | None) -> bytes:
    """Returns the SHA-256 of values, each after its type."""
    digest = hashlib.sha256()
    for kind, value in zip(values[::2], values[1::2], strict=True):
        digest.update(f"{kind} {len(value or b'')} ".encode())
        digest.update(value or b"")
    return digest.digest()
