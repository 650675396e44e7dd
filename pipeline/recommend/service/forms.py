"""The form of a journal: its tables, and what their rows may hold. Its file may come from anyone."""

import json
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated

import safetensors.numpy
from pydantic import AfterValidator, BeforeValidator, Field, Json, ValidationError
from safetensors import SafetensorError

from pipeline.config import Config
from pipeline.data.jpeg import strip_metadata
from pipeline.data.schema import END_OF_TIME, EPOCH, FIRST_TIME
from pipeline.errors import InputError, one_line
from pipeline.expected import expected
from pipeline.files.forms import check_arrays, floats
from pipeline.files.rows import seal_rows
from pipeline.recommend.service.messages import LONGEST, MOST_SHOWN, MOST_TAGS, Hash, Probability, refuse_controls

FORMAT, UNSEALED = 2, 1
"""The version of the tables, in SQLite's user_version, and the earlier one, whose rows get seals."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS post (
    number INTEGER PRIMARY KEY,  -- in the order of acceptance
    id TEXT NOT NULL UNIQUE,     -- chosen by the client: the same post, sent again, is one
    user TEXT NOT NULL,
    photo TEXT NOT NULL,         -- SHA-256 of the file
    name TEXT NOT NULL,          -- of the file, for exports
    tags TEXT NOT NULL,          -- JSON: a list of text; empty when the user takes the post back
    shown TEXT NOT NULL,         -- JSON: the suggestions on display, as [tag, probability]
    time INTEGER NOT NULL        -- seconds since 1970
);
CREATE INDEX IF NOT EXISTS post_of_user ON post (user, photo, number);
CREATE TABLE IF NOT EXISTS photo (hash TEXT PRIMARY KEY, jpeg BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS taken (
    photo TEXT PRIMARY KEY,      -- one whose file has the time at which it was taken
    milliseconds INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS vectors (
    photo TEXT NOT NULL,
    networks TEXT NOT NULL,      -- what computed them
    numbers BLOB NOT NULL,       -- safetensors: one by the name of each extractor
    PRIMARY KEY (photo, networks)
);
"""
END_OF_NUMBERS = 2**52
"""The number that no post gets: none is accepted that could not be read again."""
TABLES = set(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", SCHEMA))
TAKEN = f"iif(milliseconds >= {FIRST_TIME} AND milliseconds < {END_OF_TIME}, milliseconds, NULL)"
"""The time of a photo. Earlier versions wrote others, of the years 1 to 9999, which count as unknown."""
FIRST, LAST = ((day.replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1) for day in (datetime.min, datetime.max))
"""The bounds of what earlier versions wrote."""


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("it is not text")
    return value


def _once(tags: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(tags)) < len(tags):
        raise ValueError("a tag is there twice")
    return tags


def _tags_text(value: object) -> str:
    """Returns tags as they stand in the file. Raises ValueError for other JSON of them: a query compares the text."""
    text = _text(value)
    try:
        known = json.dumps(json.loads(text)) == text
    except (ValueError, RecursionError):  # Which pydantic puts in words.
        known = True
    if not known:
        raise ValueError("its JSON is not as the service writes it")
    return text


Text = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(refuse_controls)]
"""A user, a tag, or the id of a post."""
Tags = Annotated[
    Json[Annotated[tuple[Text, ...], Field(max_length=MOST_TAGS), AfterValidator(_once)]], BeforeValidator(_tags_text)
]
Shown = Annotated[
    Json[Annotated[tuple[tuple[Text, Probability], ...], Field(max_length=MOST_SHOWN)]], BeforeValidator(_text)
]


class PostRow(Config):
    """A row of the table of posts."""

    number: int = Field(ge=1, lt=END_OF_NUMBERS, description="The place in the order of acceptance.")
    id: Text = Field(description="The id that the client chose.")
    user: Text = Field(description="The person who accepted it.")
    photo: Hash = Field(description="The SHA-256 of the photo's file.")
    name: str = Field(max_length=LONGEST, description="The name of the photo's file.")
    tags: Tags = Field(description="The accepted tags.")
    shown: Shown = Field(description="The suggestions on display.")
    time: int = Field(
        ge=FIRST_TIME // 1000, lt=END_OF_TIME // 1000, description="The time of acceptance, in seconds since 1970."
    )


class TakenRow(Config):
    """A row of the table of photos' times."""

    photo: Hash = Field(description="The SHA-256 of the photo's file.")
    milliseconds: int = Field(ge=FIRST, le=LAST, description="Since 1970.")


ROWS: Mapping[str, type[Config]] = {"post": PostRow, "taken": TakenRow}
"""The forms of rows by table. Rows of other forms in the other tables are dropped, or asked for again."""


def check_tables(connection: sqlite3.Connection, path: Path) -> tuple[int, set[str]]:
    """Returns the version of a journal's tables, and their names.

    Raises InputError for a schema with anything that no version makes, such as triggers, views and further columns.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    found = _schema(connection)
    tables = {name for kind, name, *_ in found if kind == "table"}
    if version not in (0, UNSEALED, FORMAT) or (version == 0 and tables):
        raise InputError(f"{path} is not a journal of this version: name another file.")
    for kind, name, *_ in sorted(found - _known_schema(), key=repr):
        fault = "does not have a journal's columns" if name in TABLES else "belongs to no journal"
        raise InputError(
            f"{path} is not a journal (its {kind} {name!r} {fault}): restore a copy, or name another file."
        )
    return version, tables


def check_rows(connection: sqlite3.Connection, path: Path) -> None:
    """Raises InputError for a row of another form than the service writes."""
    for table, form in ROWS.items():
        names = list(form.model_fields)
        for row, *values in connection.execute(f"SELECT rowid, {', '.join(names)} FROM {table}"):
            try:
                form.model_validate(dict(zip(names, values, strict=True)))
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                words = expected(first)
                fault = f"it must be {words}" if words else first["msg"].removeprefix("Value error, ")
                reason = f"{first['loc'][0]}: {one_line(ValueError(fault))}"
                raise damaged_row(path, table, row, f"is not one that the service writes ({reason})") from None


def damaged_row(path: Path, table: str, row: int, fault: str) -> InputError:
    """Returns the error for a row that nothing can compute again."""
    return InputError(
        f"{path} is damaged: row {row} of its table {table!r} {fault}. Restore a copy, or do without it: DELETE FROM "
        f"{table} WHERE rowid = {row}."
    )


def are_vectors(numbers: object, dimensions: Mapping[str, int]) -> bool:
    """Recognises the vectors of a photo: one of each extractor, of its dimension."""
    try:
        check_arrays(
            safetensors.numpy.load(numbers), {name: floats(dimension) for name, dimension in dimensions.items()}
        )
    except (AttributeError, KeyError, SafetensorError, TypeError, ValueError):
        return False
    return True


def drop_other_vectors(connection: sqlite3.Connection, networks: str, dimensions: Mapping[str, int]) -> None:
    """Deletes vectors of some networks that have another form, to be computed again."""
    query = "SELECT rowid, iif(typeof(numbers) = 'blob', numbers, NULL) FROM vectors WHERE networks = ?"
    rows = connection.execute(query, [networks])
    for row in [row for row, numbers in rows if not are_vectors(numbers, dimensions)]:
        connection.execute("DELETE FROM vectors WHERE rowid = ?", [row])


def is_jpeg(data: bytes) -> bool:
    """Recognises the structure of a JPEG."""
    try:
        strip_metadata(data)
    except ValueError:
        return False
    return True


def _schema(connection: sqlite3.Connection) -> set[tuple[object, ...]]:
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
    return {(*names, _without_comments(sql)) for *names, sql in rows}


@cache
def _known_schema() -> set[tuple[object, ...]]:
    """Returns all that a journal's schema may have, with seals and without."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(SCHEMA)
        unsealed = _schema(connection)
        for table in TABLES:
            seal_rows(connection, table)
        return unsealed | _schema(connection)


def _without_comments(sql: object) -> object:
    """Returns SQL with least space, and without comments: their words differ by version."""
    if not isinstance(sql, str):
        return sql
    return re.sub(r" ?([(),]) ?", r"\1", " ".join(re.sub(r"--[^\n]*", " ", sql).split()))
