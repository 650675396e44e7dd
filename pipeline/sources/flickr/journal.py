"""The journal of a crawl: a row for every photo, and the pictures, in one SQLite file.

Every row is committed when it is written, picture and status together, so that a kill -9 loses what was in flight and
nothing else. It can be read while a crawl writes it (write-ahead log).
"""

import hashlib
import io
import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import polars as pl
from filelock import FileLock, Timeout
from PIL import Image

from pipeline.data.jpeg import strip_metadata
from pipeline.data.photo import LARGEST, QUALITY, SIDE, SMALLEST, Photo, prepare
from pipeline.data.schema import DETAIL, PHOTO
from pipeline.errors import InputError
from pipeline.files.rows import check_rollback, check_schema, check_structure, explain_refusal
from pipeline.sources.flickr.api import PhotoInfo
from pipeline.sources.flickr.config import FlickrConfig
from pipeline.sources.flickr.outcome import ASKED_AGAIN, NOT_FOUND, OK, PENDING, PRIVATE, UNAVAILABLE
from pipeline.sources.flickr.statuses import COLUMNS, Statuses

logger = logging.getLogger(__name__)

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS photo (
    id INTEGER PRIMARY KEY,{COLUMNS},
    info TEXT                            -- PhotoInfo as JSON, once the API gave it
);
CREATE TABLE IF NOT EXISTS picture (
    id INTEGER PRIMARY KEY, jpeg BLOB NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS fingerprint (id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS placeholder (sha256 BLOB PRIMARY KEY);
CREATE TABLE IF NOT EXISTS journal (made INTEGER NOT NULL);
"""
UNSEALED = ("fingerprint", "placeholder", "journal")
"""Tables whose rows have no seals: what is damaged in them differs from pictures, or from an index."""
STATUS, ATTEMPTS, INFO = "status", "attempts", "info"
"""Columns of `Journal.rows`: a photo's status, the requests made for it, the API's answer about it."""
BATCH = 10_000
"""Rows fetched at once where all are read."""
ANSWERED = (OK, NOT_FOUND, PRIVATE)
"""Statuses of photos that a host gave an answer about."""
SEVERAL = 3
"""Photos with the same picture, at least, that make it a placeholder: the same photo may be posted twice."""


def journal_path(config: FlickrConfig, work: Path) -> Path:
    """Returns the journal's file: one for each pair of hosts and each way of preparing pictures."""
    made_of = repr((config.api_url, config.photo_url, (SIDE, SMALLEST, LARGEST, QUALITY)))
    return work / f"journal-{hashlib.sha256(made_of.encode()).hexdigest()[:8]}.sqlite"


def describe(path: Path) -> str:
    """Counts the photos of each status, a line for each. Raises InputError when no crawl has begun."""
    with Journal.read(path) as journal:
        journal.check()
        summary = journal.summary()
    pending = sum(summary.get(status, 0) for status in ASKED_AGAIN)
    rows = [f"{number:>11,}  {status}" for status, number in summary.items()]
    total = sum(summary.values())
    return "\n".join([*rows, f"{total:>11,}  photos, {pending:,} to go ({path})"])


class Journal(Statuses):
    """An open journal. Photos are Flickr's ids, which are whole numbers in the file and text everywhere else."""

    table = PHOTO
    sealed = (PHOTO,)

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Opens the journal in a file for one crawl at a time; a missing file is created.

        Photos whose rows are damaged are not known any more. Raises InputError when another crawl has it open, and for
        a file that is not a journal or cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(path.with_suffix(".lock"), timeout=0), cls._connect(path) as journal:
                check_structure(journal.connection, UNSEALED)
                for row in (found := journal.damaged()[PHOTO]):
                    journal.connection.execute("DELETE FROM photo WHERE id = ?", (row,))
                if found:
                    logger.warning("%s: rows of %d photos are damaged; they are requested again", path, len(found))
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
        check_rollback(path)
        try:
            # Packing reads from another thread, but never two use it at once.
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
            try:
                check_schema(connection)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(SCHEMA)
                connection.create_function("sha256", 1, _sha256, deterministic=True)
                yield cls(connection)
            finally:
                connection.close()
        except sqlite3.Error as error:
            refusal = explain_refusal(error, "move it away")
            raise InputError(
                f"The crawl's journal {path} cannot be used {refusal}, then run again. What it recorded is kept."
            ) from None

    def check(self) -> None:
        """Raises InputError for damaged rows."""
        if found := self.damaged()[PHOTO]:
            raise InputError(
                f"The journal's rows of {len(found)} photos are damaged; the next crawl requests them again."
            )

    def need_info(self) -> None:
        """Makes photos pending that are ok but lack the API's answer; their pictures stay."""
        self.connection.execute(f"UPDATE photo SET status = '{PENDING}' WHERE status = '{OK}' AND info IS NULL")

    def witness(self) -> str | None:
        """Returns a listed photo that a host answered for, drawn at random, one that is ok where there is any."""
        row = self.connection.execute(
            f"SELECT id FROM photo WHERE listed AND status IN {ANSWERED} ORDER BY status <> '{OK}', RANDOM() LIMIT 1"
        ).fetchone()
        return row and str(row[0])

    def info(self, photo: str) -> PhotoInfo | None:
        """Returns the API's answer about a photo, None when it gave none."""
        ((info,),) = self.connection.execute("SELECT info FROM photo WHERE id = ?", (photo,))
        return PhotoInfo.model_validate_json(info) if info else None

    def keep_info(self, photo: str, info: PhotoInfo) -> None:
        """Saves the API's answer at once: queries are the scarcest resource of a crawl."""
        self.connection.execute("UPDATE photo SET info = ? WHERE id = ?", (info.model_dump_json(), photo))

    def record(self, item: str, status: str, requests: int, reason: str = "", picture: Photo | None = None) -> None:
        """Records the outcome of a visit, with the picture if there is one, in one transaction."""
        with self.transaction():
            if picture is not None:
                self.connection.execute(
                    "INSERT OR REPLACE INTO picture VALUES (?, ?, ?, ?)",
                    (item, picture.jpeg, picture.width, picture.height),
                )
                fingerprint = (item, _sha256(picture.jpeg))
                self.connection.execute("INSERT OR REPLACE INTO fingerprint VALUES (?, ?)", fingerprint)
            super().record(item, status, requests, reason)

    def reject_placeholders(self) -> None:
        """Gives up the pictures that several photos share, byte for byte: they only stand for missing ones.

        To be called once nothing is pending. A picture that was rejected once is so for ever.
        """
        with self.transaction():
            self.connection.execute(
                "INSERT INTO fingerprint SELECT id, sha256(jpeg) FROM picture JOIN photo USING (id) "
                f"WHERE status = '{OK}' AND id NOT IN (SELECT id FROM fingerprint)"
            )
            self.connection.execute(
                "INSERT OR IGNORE INTO placeholder SELECT sha256 FROM fingerprint GROUP BY sha256 HAVING COUNT(*) >= ?",
                (SEVERAL,),
            )
            rejected = "(SELECT id FROM fingerprint WHERE sha256 IN (SELECT sha256 FROM placeholder))"
            self.connection.execute(
                f"UPDATE photo SET status = '{UNAVAILABLE}', reason = 'several photos have the same' "
                f"WHERE id IN {rejected}"
            )
            self.connection.execute(f"DELETE FROM picture WHERE id IN {rejected}")
            self.connection.execute("DELETE FROM fingerprint WHERE id NOT IN (SELECT id FROM picture)")

    def has_picture(self, photo: str) -> bool:
        """Checks for the photo's picture in the journal."""
        query = "SELECT 1 FROM picture JOIN fingerprint USING (id) WHERE id = ?"
        row = self.connection.execute(query, (photo,)).fetchone()
        return row is not None

    def picture(self, photo: str) -> Photo:
        """Returns the picture of a photo that is ok, without the metadata that earlier code put into journals.

        Raises InputError for one that is damaged or lost; it is pending from then on.
        """
        query = "SELECT jpeg, width, height, sha256 FROM picture JOIN fingerprint USING (id) WHERE id = ?"
        jpeg, *size, sha256 = self.connection.execute(query, (photo,)).fetchone() or (b"", None)
        if _sha256(jpeg) != sha256 or list(Image.open(io.BytesIO(jpeg)).size) != size:
            self._forget_picture(photo)
            raise InputError(
                f"The picture of photo {photo} in the journal is damaged; the next crawl fetches it again."
            )
        try:
            return Photo(photo, strip_metadata(jpeg), *size)
        except ValueError:  # Not quite JPEG: encoded anew.
            return prepare(photo, jpeg)

    def _forget_picture(self, photo: str) -> None:
        with self.transaction():
            for table in ("picture", "fingerprint"):
                self.connection.execute(f"DELETE FROM {table} WHERE id = ?", (photo,))
            self.connection.execute(f"UPDATE photo SET status = '{PENDING}' WHERE id = ?", (photo,))

    def rows(self) -> pl.DataFrame:
        """Reads the listed photos, sorted: photo, STATUS, ATTEMPTS, detail, INFO (JSON, null where there is none)."""
        cursor = self.connection.execute("SELECT id, status, attempts, reason, info FROM photo WHERE listed")
        schema = {PHOTO: pl.Int64, STATUS: pl.String, ATTEMPTS: pl.Int64, DETAIL: pl.String, INFO: pl.String}
        frames = [pl.DataFrame(schema=schema)]
        while rows := cursor.fetchmany(BATCH):
            frames.append(pl.DataFrame(rows, schema, orient="row"))
        return pl.concat(frames).with_columns(pl.col(PHOTO).cast(pl.String)).sort(PHOTO)

    def key(self) -> str:
        """Returns a name that no other journal has; it stands for the pictures, which never change."""
        made = "INSERT INTO journal SELECT ? WHERE NOT EXISTS (SELECT * FROM journal)"
        self.connection.execute(made, (time.time_ns(),))
        return f"journal {self.connection.execute('SELECT made FROM journal').fetchone()[0]}"


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
