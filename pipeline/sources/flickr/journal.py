"""The journal of a crawl: a row for every photo, and the pictures, in one SQLite file.

Every row is committed when it is written, picture and status together, so that a kill -9 loses what was in flight and
nothing else. It can be read while a crawl writes it (write-ahead log).
"""

import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import polars as pl
from filelock import FileLock, Timeout

from pipeline.data.photo import Photo
from pipeline.errors import InputError
from pipeline.sources.flickr.api import PhotoInfo
from pipeline.sources.flickr.outcome import ASKED_AGAIN, NEVER_ASKED, OK, PENDING, PENDING_RETRY

SCHEMA = """
CREATE TABLE IF NOT EXISTS photo (
    id INTEGER PRIMARY KEY,
    listed INTEGER NOT NULL,             -- whether the lists have it now
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, -- requests made for it
    time INTEGER,                        -- of the last of them, seconds since 1970
    reason TEXT NOT NULL DEFAULT '',
    info TEXT                            -- PhotoInfo as JSON, once the API gave it
);
CREATE TABLE IF NOT EXISTS picture (
    id INTEGER PRIMARY KEY, jpeg BLOB NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS journal (made INTEGER NOT NULL);
"""
BATCH = 10_000
"""Rows read at once, where all are read."""


class Journal:
    """An open journal; photos are Flickr's ids, as whole numbers."""

    def __init__(self, connection: sqlite3.Connection):
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """The journal in a file, made when it is not there, for one crawl at a time.

        Raises InputError when another crawl has it, or the file is no journal or cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(path.with_suffix(".lock"), timeout=0), cls._connect(path) as journal:
                yield journal
        except Timeout:
            raise InputError(f"Another crawl is at work on {path}: wait for its end, or stop it.") from None

    @classmethod
    @contextmanager
    def read(cls, path: Path) -> Iterator[Self]:
        """The journal in a file, to look at, also while a crawl writes it. Raises InputError when there is none."""
        if not path.is_file():
            raise InputError(f"There is no journal ({path}) yet: no crawl of this source has begun.")
        with cls._connect(path) as journal:
            yield journal

    @classmethod
    @contextmanager
    def _connect(cls, path: Path) -> Iterator[Self]:
        try:
            # Packing reads from a thread of its own; never two at once.
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(SCHEMA)
                yield cls(connection)
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise InputError(
                f"The crawl's journal {path} cannot be used ({error}): look for free space and permissions; a broken "
                "file, move it away. What was committed to it is kept; then run again."
            ) from None

    def expect(self, photos: Iterable[int], never_asked: Mapping[int, str]) -> None:
        """Takes the lists' photos in: new ones as pending, those that are `never_asked` for with the reason as status.

        What was never asked for and now is wanted becomes pending; other rows stay as they are. Photos that the lists
        no longer have keep their rows and pictures, and count no more.
        """
        with self._transaction():
            self._connection.execute("UPDATE photo SET listed = 0")
            self._connection.executemany(
                "INSERT INTO photo (id, listed, status) VALUES (?1, 1, ?2) ON CONFLICT (id) DO UPDATE SET listed = 1, "
                f"status = CASE WHEN ?2 <> '{PENDING}' THEN ?2 WHEN status IN {NEVER_ASKED} THEN '{PENDING}' "
                "ELSE status END",
                ((photo, never_asked.get(photo, PENDING)) for photo in photos),
            )

    def ask_again(self, statuses: Collection[str]) -> int:
        """Puts the photos of final statuses off, to be asked for once more. Returns their number."""
        marks = ", ".join("?" * len(statuses))
        return self._connection.execute(
            f"UPDATE photo SET status = '{PENDING_RETRY}' WHERE listed AND status IN ({marks})", tuple(statuses)
        ).rowcount

    def need_info(self) -> None:
        """Makes photos pending that are ok without an answer of the API; their pictures stay."""
        self._connection.execute(f"UPDATE photo SET status = '{PENDING}' WHERE status = '{OK}' AND info IS NULL")

    def waiting(self) -> dict[int, str]:
        """Returns the listed photos that are not final with their statuses: those never put off first, then by id."""
        return dict(
            self._connection.execute(
                f"SELECT id, status FROM photo WHERE listed AND status IN {ASKED_AGAIN} "
                f"ORDER BY status <> '{PENDING}', id"
            )
        )

    def any_ok(self) -> int | None:
        """Returns a listed photo that is ok, each time another; None when there is none."""
        row = self._connection.execute(
            f"SELECT id FROM photo WHERE listed AND status = '{OK}' ORDER BY RANDOM() LIMIT 1"
        ).fetchone()
        return row and row[0]

    def info(self, photo: int) -> PhotoInfo | None:
        """What the API said of a photo, if it was asked and answered."""
        ((info,),) = self._connection.execute("SELECT info FROM photo WHERE id = ?", (photo,))
        return PhotoInfo.model_validate_json(info) if info else None

    def keep_info(self, photo: int, info: PhotoInfo) -> None:
        """Keeps the API's answer at once: queries are the scarcest thing of a crawl."""
        self._connection.execute("UPDATE photo SET info = ? WHERE id = ?", (info.model_dump_json(), photo))

    def record(self, photo: int, status: str, requests: int, reason: str = "", picture: Photo | None = None) -> None:
        """Notes how a visit ended, with the picture if there is one, in one transaction."""
        with self._transaction():
            if picture is not None:
                self._connection.execute(
                    "INSERT OR REPLACE INTO picture VALUES (?, ?, ?, ?)",
                    (photo, picture.jpeg, picture.width, picture.height),
                )
            self._connection.execute(
                "UPDATE photo SET status = ?, attempts = attempts + ?, time = ?, reason = ? WHERE id = ?",
                (status, requests, int(time.time()), reason, photo),
            )

    def has_picture(self, photo: int) -> bool:
        return self._connection.execute("SELECT 1 FROM picture WHERE id = ?", (photo,)).fetchone() is not None

    def picture(self, photo: str) -> Photo:
        """The picture of a photo that is ok."""
        row = self._connection.execute("SELECT jpeg, width, height FROM picture WHERE id = ?", (int(photo),)).fetchone()
        return Photo(photo, *row)

    def summary(self) -> dict[str, int]:
        """How many of the listed photos have each status, the most frequent first."""
        return dict(
            self._connection.execute(
                "SELECT status, COUNT(*) FROM photo WHERE listed GROUP BY status ORDER BY COUNT(*) DESC, status"
            )
        )

    def rows(self) -> pl.DataFrame:
        """The listed photos: photo (str), status, attempts, reason, info (JSON, null where the API gave none)."""
        cursor = self._connection.execute("SELECT id, status, attempts, reason, info FROM photo WHERE listed")
        schema = {"photo": pl.Int64, "status": pl.String, "attempts": pl.Int64, "reason": pl.String, "info": pl.String}
        frames = [pl.DataFrame(schema=schema)]
        while rows := cursor.fetchmany(BATCH):
            frames.append(pl.DataFrame(rows, schema, orient="row"))
        return pl.concat(frames).with_columns(pl.col("photo").cast(pl.String)).sort("photo")

    def key(self) -> str:
        """What tells this journal's pictures from another's: once taken, they stay as they are."""
        made = "INSERT INTO journal SELECT ? WHERE NOT EXISTS (SELECT * FROM journal)"
        self._connection.execute(made, (time.time_ns(),))
        return f"journal {self._connection.execute('SELECT made FROM journal').fetchone()[0]}"

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._connection:  # Commits, or rolls back.
            self._connection.execute("BEGIN IMMEDIATE")
            yield
