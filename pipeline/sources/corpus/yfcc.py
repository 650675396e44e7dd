"""YFCC100M, as an SQLite file and as text: tags are separated by commas, then encoded as in URLs."""

import hashlib
import logging
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import quote, unquote_to_bytes

import polars as pl
from pydantic import Field

from pipeline.data.positions import known_positions
from pipeline.data.schema import LATITUDE, LONGITUDE, PHOTO, REASON, TAGS, TIME, USER
from pipeline.errors import InputError
from pipeline.sources.corpus.fields import DAMAGED, FIELDS, field, milliseconds, places, read_fields
from pipeline.sources.corpus.form import ADDRESS, Batch, Form, find_named
from pipeline.sources.corpus.lines import as_text, first_line

logger = logging.getLogger(__name__)

ROWS_PER_CHUNK = 50_000
"""Rows of the database that are Python's objects at once."""
SQLITE = b"SQLite format 3\0"
VIDEO = "video"
"""The reason for a row whose marker is 1."""
POSITION = (LATITUDE, LONGITUDE)
"""The columns of places, which databases that others made from it may lack."""
NSID = r"^[0-9]+@N[0-9]+$"
"""The form of a user's id at Flickr."""


class Yfcc(Form):
    """Either form of YFCC100M."""

    has_addresses: ClassVar[bool] = True
    has_places: ClassVar[bool] = True

    files: list[str] = Field(min_length=1, description="Names or patterns of the files.")
    picture_folder: str = Field(description="The folder with the photos of the public bucket, by key.")

    def find(self, folder: Path, names: Sequence[str] | None) -> list[Path]:
        return find_named(folder, names or self.files)

    @property
    def encoded(self) -> str:
        return "[%+]"

    def decode(self, tags: pl.Series, folder: Path) -> pl.Series:  # noqa: ARG002 (all is in the tags)
        return pl.Series([_decoded(tag) for tag in tags], dtype=pl.String)

    def pictures(self, photos: pl.DataFrame, folder: Path) -> list[str]:  # noqa: ARG002 (all is in the addresses)
        keys = [key(address or "") for address in photos[ADDRESS]]
        return [f"{self.picture_folder}/{name[:3]}/{name[3:6]}/{name}.jpg" for name in keys]


def key(address: str) -> str:
    """Returns a photo's key in the public bucket: the MD5 of its URL, each byte in hexadecimal without leading zero."""
    return "".join(f"{byte:x}" for byte in hashlib.md5(address.encode(), usedforsecurity=False).digest())


def _decoded(tag: str) -> str:
    """Decodes a tag as in a URL; one that is not UTF-8 becomes empty."""
    try:
        return unquote_to_bytes(tag.replace("+", " ")).decode()
    except UnicodeDecodeError:
        return ""


def _rows(
    user: pl.Expr,
    photo: pl.Expr,
    tags: pl.Expr,
    taken: pl.Expr,
    latitude: pl.Expr,
    longitude: pl.Expr,
    reason: pl.Expr,
) -> list[pl.Expr]:
    # An empty text has no tags; split, it would have one.
    tags = pl.when(tags != "").then(tags.str.split(","))
    time = milliseconds(taken, "date")
    columns = [user.alias(USER), photo.alias(PHOTO), tags.alias(TAGS), time.alias(TIME), reason.alias(REASON)]
    return [*columns, *known_positions(latitude, longitude)]


class YfccSqlite(Yfcc):
    """The SQLite file, of which nothing but the needed columns is read, in the order of its key."""

    kind: Literal["yfcc-sqlite"] = Field(description="YFCC100M as an SQLite file.")
    table: str = Field(pattern=r"^\w+$", description="The table's name.")

    def fits(self, path: Path) -> bool:
        try:
            with path.open("rb") as file:
                if file.read(len(SQLITE)) != SQLITE:
                    return False
            with closing(_connect(path)) as connection:
                return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (self.table,)).fetchall())
        except (OSError, sqlite3.Error):
            return False

    def read(self, files: Sequence[Path], addresses: bool) -> Iterator[Batch]:
        # A column of SQLite may hold values of any type; a position that is not known is an empty text.
        texts = ["uid", "usertags", "datetaken", *(["downloadurl"] if addresses else [])]
        texts = [f"CAST({name} AS TEXT)" for name in texts]
        for file in files:
            last = None
            try:
                with closing(_connect(file)) as connection:
                    position = self._position(connection, file)
                    columns = ", ".join(["photoid", "CAST(marker AS INTEGER) = 1", *position, *texts])
                    cursor = connection.execute(f"SELECT {columns} FROM {self.table} ORDER BY photoid")
                    while rows := cursor.fetchmany(ROWS_PER_CHUNK):
                        last = rows[-1][0]
                        yield _batch(file, rows)
            except sqlite3.Error as error:
                after = "" if last is None else f" after photo {last}"
                raise InputError(f"{file} cannot be read{after} ({error}): fetch it again.") from None

    def _position(self, connection: sqlite3.Connection, file: Path) -> list[str]:
        """Returns latitude and longitude in SQL: null, with a warning, where the table does not have both."""
        found = connection.execute("SELECT lower(name) FROM pragma_table_info(?)", (self.table,)).fetchall()
        if found and not {(name.encode(),) for name in POSITION} <= {*found}:
            logger.warning("%s does not have both columns %s: its posts have no place.", file, " and ".join(POSITION))
            return ["NULL"] * len(POSITION)
        return [f"CASE WHEN typeof({name}) = 'real' THEN {name} END" for name in POSITION]


def _connect(path: Path) -> sqlite3.Connection:
    # Immutable: SQLite takes no lock and writes no file, so that a read-only folder will do.
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    connection.text_factory = bytes
    return connection


def _batch(file: Path, rows: list[tuple]) -> Batch:
    # Faster than zip, which asks the memory for all columns at once.
    photo, is_video, latitude, longitude, *texts = (
        pl.Series([row[place] for row in rows], strict=False) for place in range(len(rows[0]))
    )
    frame = pl.DataFrame([photo.cast(pl.String).alias(PHOTO), is_video.cast(pl.Boolean).alias(VIDEO)])
    user, tags, taken, *address = map(_decoded_column, texts)
    frame = frame.with_columns(
        user.alias(USER), tags.alias(TAGS), taken.alias(TIME), latitude.alias(LATITUDE), longitude.alias(LONGITUDE)
    )
    reason = pl.when(VIDEO).then(pl.lit(VIDEO)).when(tags.is_null() & texts[1].is_not_null()).then(pl.lit(DAMAGED))
    values = frame.select(_rows(*map(pl.col, (USER, PHOTO, TAGS, TIME, LATITUDE, LONGITUDE)), reason))
    values = values.with_columns(each.alias(ADDRESS) for each in address)
    return Batch(values, lambda row: f"{file.name}, photo {photo[row]}")


def _decoded_column(values: pl.Series) -> pl.Series:
    """Decodes bytes; those that are not UTF-8 become null."""
    try:
        return values.cast(pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:
        return pl.Series([as_text(value) for value in values], dtype=pl.String)


class YfccText(Yfcc):
    """The text files: fields between tabs, in newer ones with the row's number and the photo's hash."""

    kind: Literal["yfcc-text"] = Field(description="YFCC100M as text files.")

    def fits(self, path: Path) -> bool:
        fields = first_line(path).split("\t")
        return len(fields) in (23, 25) and any(re.match(NSID, field) for field in (fields[1], fields[3]))

    def read(self, files: Sequence[Path], addresses: bool) -> Iterator[Batch]:
        # The user's field, from which all others are counted.
        user = pl.when(field(1).str.contains(NSID)).then(1).when(field(3).str.contains(NSID)).then(3)
        photo = field(pl.when(user == 1).then(0).otherwise(1))
        is_whole = (pl.col(FIELDS).list.len() == user + 22) & photo.str.contains("^[0-9]{1,18}$")
        reason = (
            pl.when(~is_whole.fill_null(False)).then(pl.lit(DAMAGED))
            .when(field(user + 21) == "1").then(pl.lit(VIDEO))
        )  # fmt: skip
        longitude, latitude = (field(user + place).cast(pl.Float64, strict=False) for place in (9, 10))
        values = _rows(field(user), photo, field(user + 7), field(user + 2), latitude, longitude, reason)
        if addresses:
            values.append(field(user + 13).alias(ADDRESS))
        for file in files:
            for frame in read_fields(file, "\t"):
                yield Batch(frame.select(values), places(file, frame))
