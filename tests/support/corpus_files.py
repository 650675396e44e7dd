"""Corpora in their exact forms, made for tests."""

import bz2
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from pipeline.data.left_out import count_reasons
from pipeline.data.schema import TAGGED_POST
from pipeline.sources.base import Crawled, CrawlTask
from pipeline.sources.corpus.source import MISSING, CorpusSource

CORPUS = {
    "corpus": "yfcc100m",
    "files": None,
    "photos": None,
    "users_at_least": 1,
    "api_url": "https://api.flickr.com/services/rest/",
    "photo_url": "https://live.staticflickr.com",
    "api_rate": 1.0,
    "photo_rate": 1.0,
    "in_flight": 1,
    "timeout": 1.0,
    "attempts": 1,
    "backoff": 0.0,
    "passes": 1,
    "refusals": 1,
    "contact": None,
}
"""The settings of a corpus without pictures."""

YFCC_COLUMNS = (
    *("photoid integer primary key", "uid text", "unickname text", "datetaken text", "dateuploaded text"),
    *("capturedevice text", "title text", "description text", "usertags text", "machinetags text", "longitude real"),
    *("latitude real", "accuracy integer", "pageurl text", "downloadurl text", "licensename text", "licenseurl text"),
    *("serverid integer", "farmid integer", "secret text", "secretoriginal text", "ext text", "marker integer"),
)
"""The columns of YFCC100M's table, with their types."""


def yfcc_row(
    photo: int,
    user: str,
    tags: str,
    taken: str = "2010-05-14 12:24:05.0",
    marker: object = 0,
    latitude: object = "",
    longitude: object = "",
) -> tuple:
    """A row of YFCC100M; a missing value is an empty text, in numbers as well."""
    page = f"http://www.flickr.com/photos/{user}/{photo}/"
    address = f"http://farm6.staticflickr.com/5069/{photo}_b5cb7b4f18.jpg"
    place, licence = (
        (longitude, latitude, 16 if latitude else ""),
        ("Attribution License", "http://creativecommons.org/licenses/by/2.0/"),
    )
    shown = ("Canon+EOS", "A+title", "Some%2C+description")
    return (
        *(photo, user, "a+nick", taken, "1308170403", *shown, tags, "", *place, page, address, *licence),
        *(5069, 6, "b5cb7b4f18", "4bbc3a35e5", "jpg", marker),
    )


def write_yfcc(path: Path, rows: Iterable[tuple]) -> None:
    """The SQLite file, its pages of 1,024 bytes as in the published one."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA page_size = 1024")
        connection.execute(f"CREATE TABLE yfcc100m_dataset ({', '.join(YFCC_COLUMNS)})")
        connection.executemany(f"INSERT INTO yfcc100m_dataset VALUES ({', '.join('?' * len(YFCC_COLUMNS))})", rows)
        connection.commit()


def write_yfcc_text(path: Path, rows: Iterable[tuple], numbered: bool = False) -> None:
    """The text file, compressed where its name says so; `numbered` in the form with row numbers and hashes."""
    lines = []
    for number, (photo, *others) in enumerate(rows):
        before = (number, photo, "0123abc") if numbered else (photo,)
        lines.append("\t".join(map(str, (*before, *others))) + "\n")
    data = "".join(lines).encode()
    path.write_bytes(bz2.compress(data) if path.suffix == ".bz2" else data)


Posts = dict[tuple[str, str], list[str]]
"""The tags of each post, by user and photo."""


def read(folder: Path, corpus: str, **settings) -> tuple[Posts, dict[str, int]]:
    """Reads a corpus without pictures; returns its posts, and the rows left out by reason but those that are absent."""
    crawled = crawl(folder, corpus, **settings)
    reasons = {reason: rows for reason, rows in count_reasons(crawled.left_out).items() if reason != MISSING}
    return {(user, photo): sorted(tags) for user, photo, tags in crawled.posts.select(TAGGED_POST).iter_rows()}, reasons


def crawl(folder: Path, corpus: str, **settings) -> Crawled:
    """Reads a corpus without pictures."""
    source = CorpusSource.model_validate(CORPUS | {"corpus": corpus} | settings)
    return source.read_posts(CrawlTask(folder, folder / "photos", folder / "work"))
