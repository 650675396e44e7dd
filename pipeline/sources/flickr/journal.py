"""The journal of a crawl: a row for every photo, and the pictures, in one SQLite file.

Every row is committed when it is written, picture and status together, so that a kill -9 loses what was in flight and
nothing else. It can be read while a crawl writes it (write-ahead log).
"""

import hashlib
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import polars as pl
from filelock import FileLock, Timeout

from pipeline.data.jpeg import strip_metadata
from pipeline.data.photo import LARGEST, QUALITY, SIDE, SMALLEST, Photo, prepare
from pipeline.data.schema import DETAIL, PHOTO
from pipeline.errors import InputError
from pipeline.sources.flickr.api import PhotoInfo
from pipeline.sources.flickr.config import FlickrConfig
from pipeline.sources.flickr.outcome import ASKED_AGAIN, FINAL_FAILURES, NEVER_ASKED, OK, PENDING, PENDING_RETRY

SCHEMA = """
CREATE TABLE IF NOT EXISTS photo (
    id INTEGER PRIMARY KEY,
    listed INTEGER NOT NULL,             -- 1 when the lists have it now
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
STATUS, ATTEMPTS, INFO = "status", "attempts", "info"
"""Columns of `Journal.rows`: a photo's status, the requests made for it, the API's answer about it."""
BATCH = 10_000
"""Rows fetched at once where all are read."""


def journal_path(config: FlickrConfig, work: Path) -> Path:
    """Returns the journal's file: one for each pair of hosts and each way of preparing pictures."""
    made_of = repr((config.api_url, config.photo_url, (SIDE, SMALLEST, LARGEST, QUALITY)))
    return work / f"journal-{hashlib.sha256(made_of.encode()).hexdigest()[:8]}.sqlite"


def describe(path: Path) -> str:
    """Counts the photos of each status, a line for each. Raises InputError when no crawl has begun."""
    with Journal.read(path) as journal:
        summary = journal.summary()
    pending = sum(summary.get(status, 0) for status in ASKED_AGAIN)
    rows = [f"{number:>11,}  {status}" for status, number in summary.items()]
    total = sum(summary.values())
    return "\n".join([*rows, f"{total:>11,}  photos, {pending:,} to go ({path})"])


class Journal:
    """An open journal. Photos are Flickr's ids, which are whole numbers in the file and text everywhere else."""

    def __init__(self, connection: sqlite3.Connection):
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Opens the journal in a file for one crawl at a time; a missing file is created.

        Raises InputError when another crawl has it open, and for a file that is no journal or cannot be written.
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
        """Opens an existing journal for reading, even while a crawl writes it. Raises InputError when there is none."""
        if not path.is_file():
            raise InputError(f"There is no journal ({path}) yet: no crawl of this source has begun.")
        with cls._connect(path) as journal:
            yield journal

    @classmethod
    @contextmanager
    def _connect(cls, path: Path) -> Iterator[Self]:
        try:
            # Packing reads from another thread, but never two use it at once.
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(SCHEMA)
                yield cls(connection)
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise InputError(
                f"The crawl's journal {path} cannot be used ({error}): check free space and permissions, or move a "
                "broken file away, then run again. What was committed to the journal is kept."
            ) from None

    def expect(self, photos: Iterable[str], never_asked: Mapping[str, str]) -> None:
        """Lists photos: new ones as pending, those that are `never_asked` for with the reason as their status.

        A photo that was never asked for and is wanted now becomes pending; other rows stay as they are. Photos that are
        no longer listed keep their rows and pictures, but no longer count.
        """
        with self._transaction():
            self._connection.execute("UPDATE photo SET listed = 0")
            self._connection.executemany(
                "INSERT INTO photo (id, listed, status) VALUES (?1, 1, ?2) ON CONFLICT (id) DO UPDATE SET listed = 1, "
                f"status = CASE WHEN ?2 <> '{PENDING}' THEN ?2 WHEN status IN {NEVER_ASKED} THEN '{PENDING}' "
                "ELSE status END",
                ((int(photo), never_asked.get(photo, PENDING)) for photo in photos),
            )

    def ask_again(self, statuses: Collection[str]) -> int:
        """Makes the photos of some final statuses pending, to ask for them once more. Returns their number.

        Raises InputError for a status that is not final.
        """
        if unknown := sorted(set(statuses) - set(FINAL_FAILURES)):
            raise InputError(
                f"{unknown[0]!r} is no status to ask for again; it must be one of {', '.join(FINAL_FAILURES)}."
            )
        marks = ", ".join("?" * len(statuses))
        return self._connection.execute(
            f"UPDATE photo SET status = '{PENDING_RETRY}' WHERE listed AND status IN ({marks})", tuple(statuses)
        ).rowcount

    def need_info(self) -> None:
        """Makes photos pending that are ok but lack the API's answer; their pictures stay."""
        self._connection.execute(f"UPDATE photo SET status = '{PENDING}' WHERE status = '{OK}' AND info IS NULL")

    def waiting(self) -> dict[str, str]:
        """Returns the listed photos that are pending, with their statuses: those never put off first, then by id."""
        rows = self._connection.execute(
            f"SELECT id, status FROM photo WHERE listed AND status IN {ASKED_AGAIN} ORDER BY status <> '{PENDING}', id"
        )
        return {str(photo): status for photo, status in rows}

    def any_ok(self) -> str | None:
        """Returns a listed photo that is ok, drawn at random; None when there is none."""
        row = self._connection.execute(
            f"SELECT id FROM photo WHERE listed AND status = '{OK}' ORDER BY RANDOM() LIMIT 1"
        ).fetchone()
        return row and str(row[0])

    def info(self, photo: str) -> PhotoInfo | None:
        """Returns the API's answer about a photo, None when it gave none."""
        ((info,),) = self._connection.execute("SELECT info FROM photo WHERE id = ?", (int(photo),))
        return PhotoInfo.model_validate_json(info) if info else None

    def keep_info(self, photo: str, info: PhotoInfo) -> None:
        """Saves the API's answer at once: queries are the scarcest resource of a crawl."""
        self._connection.execute("UPDATE photo SET info = ? WHERE id = ?", (info.model_dump_json(), int(photo)))

    def record(self, photo: str, status: str, requests: int, reason: str = "", picture: Photo | None = None) -> None:
        """Records the outcome of a visit, with the picture if there is one, in one transaction."""
        with self._transaction():
            if picture is not None:
                self._connection.execute(
                    "INSERT OR REPLACE INTO picture VALUES (?, ?, ?, ?)",
                    (int(photo), picture.jpeg, picture.width, picture.height),
                )
            self._connection.execute(
                "UPDATE photo SET status = ?, attempts = attempts + ?, time = ?, reason = ? WHERE id = ?",
                (status, requests, int(time.time()), reason, int(photo)),
            )

    def has_picture(self, photo: str) -> bool:
        """Checks for the photo's picture in the journal."""
        row = self._connection.execute("SELECT 1 FROM picture WHERE id = ?", (int(photo),)).fetchone()
        return row is not None

    def picture(self, photo: str) -> Photo:
        """Returns the picture of a photo that is ok, without the metadata that earlier code put into journals."""
        row = self._connection.execute("SELECT jpeg, width, height FROM picture WHERE id = ?", (int(photo),)).fetchone()
        jpeg, *size = row
        try:
            return Photo(photo, strip_metadata(jpeg), *size)
        except ValueError:  # Not quite JPEG: encoded anew.
            return prepare(photo, jpeg)

    def summary(self) -> dict[str, int]:
        """Counts the listed photos of each status, the most frequent first."""
        return dict(
            self._connection.execute(
                "SELECT status, COUNT(*) FROM photo WHERE listed GROUP BY status ORDER BY COUNT(*) DESC, status"
            )
        )

    def rows(self) -> pl.DataFrame:
        """Reads the listed photos, sorted: photo, STATUS, ATTEMPTS, detail, INFO (JSON, null where there is none)."""
        cursor = self._connection.execute("SELECT id, status, attempts, reason, info FROM photo WHERE listed")
        schema = {PHOTO: pl.Int64, STATUS: pl.String, ATTEMPTS: pl.Int64, DETAIL: pl.String, INFO: pl.String}
        frames = [pl.DataFrame(schema=schema)]
        while rows := cursor.fetchmany(BATCH):
            frames.append(pl.DataFrame(rows, schema, orient="row"))
        return pl.concat(frames).with_columns(pl.col(PHOTO).cast(pl.String)).sort(PHOTO)

    def key(self) -> str:
        """Returns a name that no other journal has; it stands for the pictures, which never change."""
        made = "INSERT INTO journal SELECT ? WHERE NOT EXISTS (SELECT * FROM journal)"
        self._connection.execute(made, (time.time_ns(),))
        return f"journal {self._connection.execute('SELECT made FROM journal').fetchone()[0]}"

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._connection:  # Commits, or rolls back.
            self._connection.execute("BEGIN IMMEDIATE")
            yield
