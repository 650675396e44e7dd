"""Lists of photos in the journal: each page is kept, with the place of the next one."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

from pipeline.data.schema import PHOTO
from pipeline.errors import InputError
from pipeline.sources.flickr.api import FlickrApi
from pipeline.sources.flickr.host import Host, Visit
from pipeline.sources.flickr.journal import BATCH, Journal
from pipeline.sources.flickr.listing import ADDRESS, Cursor, Kind, Page, find, list_page, next_cursor
from pipeline.sources.flickr.outcome import OK, PENDING
from pipeline.sources.flickr.passes import Passes
from pipeline.sources.flickr.statuses import COLUMNS, Statuses

logger = logging.getLogger(__name__)

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS list (
    id TEXT PRIMARY KEY,{COLUMNS},
    found TEXT,                          -- the id of the user or group, once Flickr gave it
    cursor TEXT,                         -- the place of the next page (Cursor as JSON), null before the first
    whole INTEGER NOT NULL DEFAULT 0,    -- 1 once there is no next page
    unusable INTEGER NOT NULL DEFAULT 0  -- photos of its pages that lack an owner, or an id of their own
);
CREATE TABLE IF NOT EXISTS entry (
    list TEXT NOT NULL,
    place INTEGER NOT NULL,              -- in the list, from 0
    photo INTEGER NOT NULL,
    listed TEXT NOT NULL,                -- ListedPhoto as JSON
    PRIMARY KEY (list, photo)
);
"""
ENTRY = "list, place, photo, listed"
"""The columns of an entry."""
LENGTH = "(SELECT COUNT(*) FROM entry WHERE entry.list = list.id)"
"""The number of photos of a list so far, in a query on lists."""
LISTED = "listed"
"""The column of `Lists.entries` with a photo as its list has it (ListedPhoto as JSON)."""


def describe_lists(path: Path) -> str:
    """Counts the lists of each status, a line for each. Raises InputError when no crawl has begun."""
    with Journal.read(path) as journal:
        lists = Lists(journal)
        if any(lists.damaged().values()):
            raise InputError(f"Lists in {path} are damaged; the next crawl lists all photos anew.")
        summary = lists.summary()
    return "\n".join(f"{number:>11,}  users and groups: {status}" for status, number in summary.items())


def list_id(name: str, kind: Kind = "people") -> str:
    """Returns the id of a list in the journal: its kind and name. A group's address is a group."""
    address = ADDRESS.fullmatch(name)
    return f"{'groups' if address and address[1] == 'groups' else kind} {name}"


@dataclass(frozen=True)
class ListState:
    """A list as far as it is known."""

    found: str | None
    """The id of the user or group."""
    cursor: Cursor
    """The place of the next page."""
    whole: bool
    """True when there is no next page."""
    length: int
    """Photos so far."""


class Lists(Statuses):
    """The lists of an open journal, by their kinds and names: "people ann"."""

    table = "list"
    sealed = ("list", "entry")

    def __init__(self, journal: Journal):
        journal.connection.executescript(SCHEMA)
        super().__init__(journal.connection)

    def forget_damaged(self) -> None:
        """Forgets all lists when a row is damaged: nobody would miss a photo that is no longer in its list."""
        if any(self.damaged().values()):
            logger.warning("Lists in the journal are damaged: all photos are listed anew")
            with self.transaction():
                for table in self.sealed:
                    self.connection.execute(f"DELETE FROM {table}")

    def extend(self, limit: int | None) -> None:
        """Makes lists pending that ended at a lower limit than this one."""
        self.connection.execute(
            f"UPDATE list SET status = '{PENDING}' WHERE status = '{OK}' AND NOT whole "
            f"AND (?1 IS NULL OR {LENGTH} < ?1)",
            (limit,),
        )

    def state(self, item: str) -> ListState:
        """Returns what is known of a list."""
        row = self.connection.execute(f"SELECT found, cursor, whole, {LENGTH} FROM list WHERE id = ?", (item,))
        ((found, cursor, whole, length),) = row
        return ListState(found, Cursor.model_validate_json(cursor) if cursor else Cursor(), bool(whole), length)

    def keep_found(self, item: str, found: str) -> None:
        """Saves the id of a list's user or group."""
        self.connection.execute("UPDATE list SET found = ? WHERE id = ?", (found, item))

    def keep_page(self, item: str, page: Page, cursor: Cursor | None) -> None:
        """Saves a page's photos and the place of the next one, None after the last, in one transaction.

        A photo that an earlier page had stays as it was there.
        """
        with self.transaction():
            ((place,),) = self.connection.execute("SELECT COUNT(*) FROM entry WHERE list = ?", (item,))
            for photo in page.photos:
                row = (item, place, photo.photo, photo.model_dump_json())
                place += self.connection.execute(
                    f"INSERT OR IGNORE INTO entry ({ENTRY}) VALUES (?, ?, ?, ?)", row
                ).rowcount
            self.connection.execute(
                "UPDATE list SET cursor = ?, whole = ?, unusable = unusable + ? WHERE id = ?",
                (cursor and cursor.model_dump_json(), cursor is None, page.unusable, item),
            )

    def witness(self) -> str | None:
        """Returns a list that has a page already, drawn at random, one that is ok where there is any."""
        row = self.connection.execute(
            "SELECT id FROM list WHERE listed AND (whole OR cursor IS NOT NULL) "
            f"ORDER BY status <> '{OK}', RANDOM() LIMIT 1"
        ).fetchone()
        return row and row[0]

    def entries(self, limit: int | None) -> pl.DataFrame:
        """Reads the photos of all lists, each once, sorted: photo, LISTED."""
        cursor = self.connection.execute(
            "SELECT entry.photo, entry.listed FROM entry JOIN list ON list.id = entry.list "
            "WHERE list.listed AND (?1 IS NULL OR entry.place < ?1) ORDER BY entry.photo, list.id",
            (limit,),
        )
        schema = {PHOTO: pl.Int64, LISTED: pl.String}
        frames = [pl.DataFrame(schema=schema)]
        while rows := cursor.fetchmany(BATCH):
            frames.append(pl.DataFrame(rows, schema, orient="row"))
        once = pl.concat(frames).unique(PHOTO, keep="first", maintain_order=True)
        return once.with_columns(pl.col(PHOTO).cast(pl.String)).sort(PHOTO)

    def outcomes(self) -> Iterable[tuple[str, str, str, int, int]]:
        """Yields the listed lists in order: kind and name, status, reason, photos, and photos that are unusable."""
        return self.connection.execute(
            f"SELECT id, status, reason, {LENGTH}, unusable FROM list WHERE listed ORDER BY id"
        )


@dataclass(frozen=True)
class ListCrawl(Passes):
    """One run over the lists of a journal."""

    title: ClassVar[str] = "Listing"
    unit: ClassVar[str] = "users and groups"

    statuses: Lists
    """The lists, each with its status."""
    api: FlickrApi
    """Flickr's API."""
    limit: int | None
    """Photos of each list, at most, when there are more."""
    in_flight: int
    passes: int

    async def ask(self, item: str, visit: Visit) -> None:
        kind, _, name = item.partition(" ")
        state = self.statuses.state(item)
        if state.found is None:
            self.statuses.keep_found(item, await find(self.api, kind, name, visit))
            state = self.statuses.state(item)
        while not state.whole and (self.limit is None or state.length < self.limit):
            page = await list_page(self.api, kind, state.found, state.cursor, visit)
            self.statuses.keep_page(item, page, next_cursor(kind, state.cursor, page))
            state = self.statuses.state(item)
        self.statuses.record(item, OK, visit.requests)

    async def ask_for_witness(self, host: Host, visit: Visit) -> bool:  # noqa: ARG002
        witness = self.statuses.witness()
        if witness is None:
            return False
        await list_page(self.api, witness.partition(" ")[0], self.statuses.state(witness).found, Cursor(), visit, 1)
        return True
