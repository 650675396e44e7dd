"""The journal of accepted posts: an SQLite file in which a post is committed before its client gets an answer.

It keeps each accepted photo, prepared, and its vectors, so that learning after a restart needs no upload. It can be
read while the service writes it (write-ahead log). Each row has a seal, by which damage to it is found.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
import safetensors.numpy

from pipeline.data.schema import PHOTO, TAGS, TIME, USER
from pipeline.errors import InputError
from pipeline.files.rows import (
    check_rollback,
    check_schema,
    check_structure,
    code_of,
    damaged_rows,
    explain_refusal,
    intact_condition,
    seal_rows,
)
from pipeline.keywords.capture_place import keep_place
from pipeline.recommend.network import PhotoVectors
from pipeline.recommend.service.batches import BusyError
from pipeline.recommend.service.forms import (
    END_OF_NUMBERS,
    FORMAT,
    SCHEMA,
    TABLES,
    TAKEN,
    UNSEALED,
    check_rows,
    check_tables,
    damaged_row,
    drop_other_vectors,
    is_jpeg,
)
from pipeline.recommend.service.witness import FullJournalError, Witness

LATEST = "number = (SELECT max(number) FROM post AS other WHERE other.user = post.user AND other.photo = post.photo)"
"""The condition for the post that counts of each user and photo: the one accepted last."""
PAGE_BYTES = 4096
LOCK_TIMEOUT = 5.0
"""Seconds for which another process may hold the file."""


def files_of(path: Path) -> list[Path]:
    """Lists the file of a journal and those that are kept next to it, which may not exist."""
    path = path.resolve()
    return [path, *(path.with_name(f"{path.name}-{end}") for end in ("wal", "shm", "journal", "lock"))]


@dataclass(frozen=True)
class Post:
    """A post that a person accepted."""

    id: str
    """The client's name for it."""
    user: str
    """The person who accepted it."""
    photo: str
    """The SHA-256 of the photo's file."""
    name: str
    """The name of the photo's file at the client."""
    tags: tuple[str, ...]
    """The accepted tags; none when the post is taken back."""
    shown: tuple[tuple[str, float], ...] = ()
    """The suggestions on display, with their probabilities."""


@dataclass(frozen=True)
class HeldPhoto:
    """A photo as the service knows it."""

    hash: str
    """The SHA-256 of the file."""
    jpeg: bytes
    """The prepared photo, with its place in Exif data where the model sees places."""
    vectors: Mapping[str, np.ndarray] | None
    """A vector by the name of each extractor; None where the present networks have not seen it."""
    time: int | None = None
    """The time at which it was taken, in milliseconds since 1970; None where it is unknown."""


class OtherPostError(InputError):
    """A post whose id an earlier, different post has."""


class Journal:
    """An open journal.

    networks: names the networks of the vectors; those of other networks are neither read nor replaced.
    largest: the bytes that the file may grow to.
    """

    def __init__(self, connection: sqlite3.Connection, networks: str, witness: Witness):
        self._connection, self._networks, self._witness = connection, networks, witness

    @classmethod
    @contextmanager
    def open(
        cls,
        path: Path,
        networks: str = "",
        largest: int = 0,
        to_read: bool = False,
        dimensions: Mapping[str, int] | None = None,
    ) -> Iterator[Self]:
        """Opens a journal; a missing file is created, for its owner alone.

        to_read: the journal may be one that this process cannot write.
        dimensions: of the vectors of the networks, by the name of each extractor; None where nothing reads them.

        Vectors that are damaged or of another form are dropped, to be computed again. Raises InputError for a file that
        is not a journal, that a later version wrote, or whose posts are damaged or of another form.
        """
        check_rollback(path)
        # Absolute, because SQLite keeps ":memory:" in memory.
        address, writable = path.absolute().as_uri(), not to_read or _is_writable(path)
        if writable:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        else:  # Without a log nobody writes to it.
            address += "?mode=ro" if files_of(path)[1].exists() else "?mode=ro&immutable=1"
        connection = sqlite3.connect(address, LOCK_TIMEOUT, isolation_level=None, check_same_thread=False, uri=True)
        try:
            _prepare(connection, path, largest, writable)
            _check(connection, path, writable)
            if writable and dimensions is not None:
                drop_other_vectors(connection, networks, dimensions)
            yield cls(connection, networks, Witness(connection, path))
        except sqlite3.Error as error:
            refusal = explain_refusal(error, "restore a copy, or name another file")
            raise InputError(f"{path} cannot be used as a journal {refusal}.") from error
        finally:
            connection.close()

    def accept(self, post: Post, photo: HeldPhoto) -> bool:
        """Commits a post, with its photo and vectors. Returns False when it was accepted before.

        The post is on the disk when this returns. Raises OtherPostError for the id of a different post,
        FullJournalError when the file takes no more or was lost, and BusyError while another process holds it.
        """
        tags, shown = json.dumps(post.tags), json.dumps(post.shown)
        row = (post.id, post.user, post.photo, post.name, tags, shown, int(time.time()))
        find = "SELECT user, photo, tags FROM post WHERE id = ?"
        try:
            with self._transaction():
                inserted = self._connection.execute(
                    "INSERT INTO post (id, user, photo, name, tags, shown, time) VALUES (?, ?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (id) DO NOTHING",
                    row,
                )
                if added := inserted.rowcount:
                    if inserted.lastrowid >= END_OF_NUMBERS:
                        raise FullJournalError("The journal takes no more posts, by their numbers: name another file.")
                    self._keep(photo)
                elif self._connection.execute(find, [post.id]).fetchone() != (post.user, post.photo, tags):
                    raise OtherPostError(f"An earlier, different post has the id {post.id!r}.")
        except sqlite3.Error as error:
            if code_of(error) == sqlite3.SQLITE_BUSY:
                raise BusyError from error
            refusal = explain_refusal(error, "restore a copy of it")
            raise FullJournalError(f"The journal takes no more posts {refusal}.") from error
        return bool(added)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commits what the block writes, unless it fails. Raises FullJournalError for a file that was lost."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._witness.check()
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._witness.remember()

    def _keep(self, photo: HeldPhoto) -> None:
        known = self.photo(photo.hash)
        values = [photo.hash, keep_place(photo.jpeg, known.jpeg) if known else photo.jpeg]
        self._connection.execute("INSERT OR REPLACE INTO photo (hash, jpeg) VALUES (?, ?)", values)
        if photo.time is not None:
            values = [photo.hash, photo.time]
            self._connection.execute("INSERT OR IGNORE INTO taken (photo, milliseconds) VALUES (?, ?)", values)
        self._keep_vectors(photo)

    def add_vectors(self, photo: HeldPhoto) -> None:
        """Adds the vectors of a photo by the present networks. Raises FullJournalError for a file that was lost."""
        with self._transaction():
            self._keep_vectors(photo)

    def _keep_vectors(self, photo: HeldPhoto) -> None:
        numbers = safetensors.numpy.save({name: np.ascontiguousarray(each) for name, each in photo.vectors.items()})
        values = [photo.hash, self._networks, numbers]
        self._connection.execute("INSERT OR IGNORE INTO vectors (photo, networks, numbers) VALUES (?, ?, ?)", values)

    def photo(self, hash: str) -> HeldPhoto | None:
        """Returns an accepted photo, None where there is none of that hash, or it is damaged or no JPEG."""
        query = (
            f"SELECT jpeg, {TAKEN}, numbers FROM photo LEFT JOIN taken ON taken.photo = hash "
            "LEFT JOIN vectors ON vectors.photo = hash AND networks = ? "
            f"WHERE hash = ? AND typeof(jpeg) = 'blob' AND {intact_condition(self._connection, PHOTO)}"
        )
        try:
            found = self._connection.execute(query, [self._networks, hash]).fetchone()
        except sqlite3.DatabaseError as error:
            if code_of(error) != sqlite3.SQLITE_CORRUPT:
                raise
            found = None
        if found is None or not is_jpeg(found[0]):
            return None
        jpeg, time, numbers = found
        return HeldPhoto(hash, jpeg, None if numbers is None else safetensors.numpy.load(numbers), time)

    def state(self, user: str) -> tuple[int, int]:
        """Returns the number of a user's last post, and of those with vectors: it changes with what can be learned."""
        query = (
            "SELECT ifnull(max(number), 0), count(*) FILTER (WHERE EXISTS "
            "(SELECT 1 FROM vectors WHERE vectors.photo = post.photo AND networks = ?)) FROM post WHERE user = ?"
        )
        return self._connection.execute(query, [self._networks, user]).fetchone()

    def without_vectors(self) -> list[str]:
        """Lists the accepted photos, by hash, that the present networks have not seen."""
        rows = self._connection.execute(
            "SELECT hash FROM photo WHERE hash IN (SELECT photo FROM post) AND NOT EXISTS "
            "(SELECT 1 FROM vectors WHERE vectors.photo = hash AND networks = ?) ORDER BY hash",
            [self._networks],
        )
        return [hash for (hash,) in rows]

    def tags(self, user: str) -> dict[str, int]:
        """Counts the accepted posts of a user that have each tag."""
        rows = self._connection.execute(
            f"SELECT value, count(*) FROM post, json_each(post.tags) WHERE user = ? AND {LATEST} "
            "GROUP BY value ORDER BY count(*) DESC, value",
            [user],
        )
        return dict(rows)

    def posts(self, user: str | None = None) -> list[Post]:
        """Returns the posts that count, of one user or of all, in the order of acceptance."""
        condition, values = ("user = ? AND", [user]) if user is not None else ("", [])
        rows = self._connection.execute(
            f"SELECT id, user, photo, name, tags, shown FROM post WHERE {condition} {LATEST} "
            "AND tags != '[]' ORDER BY number",
            values,
        )
        return [
            Post(*plain, tuple(json.loads(tags)), tuple((tag, probability) for tag, probability in json.loads(shown)))
            for *plain, tags, shown in rows
        ]

    def learned(self, user: str) -> list[tuple[PhotoVectors, tuple[str, ...]]]:
        """Returns what the present networks saw of a user's posts that count, and the tags."""
        rows = self._connection.execute(
            f"SELECT post.photo, numbers, {TAKEN}, tags FROM post LEFT JOIN taken ON taken.photo = post.photo "
            "JOIN vectors ON vectors.photo = post.photo AND networks = ? "
            f"WHERE user = ? AND {LATEST} AND tags != '[]' ORDER BY number",
            [self._networks, user],
        )
        return [
            (PhotoVectors(photo, safetensors.numpy.load(numbers), time), tuple(json.loads(tags)))
            for photo, numbers, time, tags in rows
        ]

    def users(self) -> dict[str, int]:
        """Counts the posts of each user."""
        rows = self._connection.execute(
            f"SELECT user, count(*) FROM post WHERE {LATEST} AND tags != '[]' GROUP BY user ORDER BY user"
        )
        return dict(rows)

    def table(self) -> pl.DataFrame:
        """Returns the posts that count, a row for each tag: user, photo (hash and .jpg), tags (one), time (seconds).

        The time is that at which the photo was taken or, where that is unknown, the post accepted.
        """
        rows = self._connection.execute(
            f"SELECT user, post.photo || '.jpg', value, ifnull({TAKEN} / 1000, time) FROM post "
            f"LEFT JOIN taken ON taken.photo = post.photo, json_each(post.tags) WHERE {LATEST} "
            "ORDER BY user, number, json_each.key"
        )
        types = {USER: pl.String, PHOTO: pl.String, TAGS: pl.String, TIME: pl.Int64}
        return pl.DataFrame(rows.fetchall(), types, orient="row")

    def photos(self) -> Iterator[tuple[str, bytes]]:
        """Yields the photos of the posts that count: the name in `table`, and the JPEG, perhaps with its place.

        Raises InputError for one that is damaged, or is no photo.
        """
        rows = self._connection.execute(
            f"SELECT post.photo, name, CAST(jpeg AS BLOB), {intact_condition(self._connection, PHOTO)} FROM post "
            f"LEFT JOIN photo ON hash = post.photo WHERE {LATEST} AND tags != '[]' GROUP BY hash ORDER BY hash"
        )
        for hash, name, jpeg, whole in rows:
            if jpeg is None or not whole or not is_jpeg(jpeg):
                raise InputError(f"The photo {name!r} in the journal is damaged: accept its tags once more.")
            yield f"{hash}.jpg", jpeg


def _is_writable(path: Path) -> bool:
    return all(os.access(each, os.W_OK) for each in (path, path.resolve().parent))


def _check(connection: sqlite3.Connection, path: Path, writable: bool) -> None:
    """Drops damaged vectors where it can. A photo is checked when it is read.

    Raises InputError for posts that are damaged, or of another form.
    """
    check_structure(connection, ["post", "taken", "vectors"])
    for table in ("post", "taken"):
        for row in damaged_rows(connection, table):
            raise damaged_row(path, table, row, "is not as it was written")
    check_rows(connection, path)
    for row in damaged_rows(connection, "vectors") if writable else ():
        connection.execute("DELETE FROM vectors WHERE rowid = ?", [row])


def _prepare(connection: sqlite3.Connection, path: Path, largest: int, writable: bool) -> None:
    """Makes the tables of a new file, and sees to it that a commit is on the disk."""
    check_schema(connection)
    version, tables = check_tables(connection, path)
    if writable:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # Each commit moves on from the log at once: SQLite takes a log with a damaged page for one that ends there.
    connection.execute("PRAGMA wal_autocheckpoint = 1")
    if largest:
        connection.execute(f"PRAGMA max_page_count = {largest // PAGE_BYTES}")
    if not tables >= TABLES:  # else nothing is written, and no writer is waited for
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {UNSEALED}; COMMIT;")
    for table in TABLES:
        seal_rows(connection, table)
    if version != FORMAT:
        connection.execute(f"PRAGMA user_version = {FORMAT}")
