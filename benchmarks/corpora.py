"""The time and memory in which YFCC100M's SQLite file becomes posts, compared with SQLite alone.

    python -m benchmarks.corpora [--rows 1000000 3000000 10000000] [--rounds 2]

The files are made up in the exact form: pages of 1,024 bytes, all 23 columns, some 520 bytes a row. A third of the rows
has no tags, the others seven on average, long-tailed, a tenth of them encoded; 787 of 100,000 rows are videos; half of
the rows have positions.
"""

import argparse
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

from benchmarks.machine import processor
from pipeline.files.parquet import write_parquet
from pipeline.sources.base import CrawlTask
from pipeline.sources.corpus.source import CorpusSource
from pipeline.sources.corpus.yfcc import ROWS_PER_CHUNK

FILE = "yfcc100m_dataset.sql"
COLUMNS = (
    "photoid integer primary key, uid text, unickname text, datetaken text, dateuploaded text, capturedevice text, "
    "title text, description text, usertags text, machinetags text, longitude real, latitude real, accuracy integer, "
    "pageurl text, downloadurl text, licensename text, licenseurl text, serverid integer, farmid integer, secret text, "
    "secretoriginal text, ext text, marker integer"
)
TAGS = 3_000_000
TAGS_OF_A_POST = 7
UNTAGGED = 0.31
VIDEOS = 0.00787
LOCATED = 0.48
POSTS_OF_A_USER = 180
SEED = 0


def main(sizes: list[int], rounds: int) -> None:
    """Prints rates, their ratios and memory for files of each number of rows."""
    print(processor())
    for rows in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            in_new_process(make, folder / FILE, rows)
            print(f"{rows:,} rows, {(folder / FILE).stat().st_size / 1e9:.2f} GB", flush=True)
            ratios = []
            for _ in range(rounds):
                alone, alone_cpu = in_new_process(read_alone, folder / FILE)
                ours = in_new_process(read_posts, folder)
                ratios.append((alone / ours.seconds, alone_cpu / ours.cpu))
                print(
                    f"  SQLite {alone:.1f} s ({alone_cpu:.1f} of CPU); ours {ours.seconds:.1f} s ({ours.cpu:.1f}), "
                    f"{rows / ours.seconds:,.0f} rows/s, and {ours.writing:.1f} s to write; {ours.posts:,} posts in a "
                    f"table of {ours.table:,.0f} MB; peaks above the {ours.before:,.0f} MB before: reading "
                    f"{ours.peak - ours.before:,.0f} MB, writing {ours.peak_of_writing - ours.before:,.0f} MB",
                    flush=True,
                )
            by_clock, by_cpu = (median(each) for each in zip(*ratios, strict=True))
            print(f"  ours / SQLite alone: {by_clock:.2f} by the clock, {by_cpu:.2f} in CPU seconds", flush=True)


@dataclass(frozen=True)
class Reading:
    """The cost of one reading: seconds and MB."""

    seconds: float
    cpu: float
    writing: float
    before: float
    peak: float
    peak_of_writing: float
    table: float
    posts: int


def in_new_process(function, *arguments):
    """The value of a function called in a new interpreter, whose peak of memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def read_alone(path: Path) -> tuple[float, float]:
    """Reads the columns with SQLite alone, in the same chunks. Returns seconds by the clock and of CPU."""
    start, cpu = time.perf_counter(), time.process_time()
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        cursor = connection.execute(
            "SELECT photoid, uid, usertags, datetaken, marker, latitude, longitude FROM yfcc100m_dataset "
            "ORDER BY photoid"
        )
        while cursor.fetchmany(ROWS_PER_CHUNK):
            pass
    return time.perf_counter() - start, time.process_time() - cpu


def read_posts(folder: Path) -> Reading:
    """Reads the posts and writes their table."""
    source = CorpusSource.model_construct(corpus="yfcc100m", files=None, photos=None, users_at_least=1)
    source.read_posts(CrawlTask(in_small(folder), folder / "photos", folder / "work"))
    before, start, cpu = peak_memory(), time.perf_counter(), time.process_time()
    posts = source.read_posts(CrawlTask(folder, folder / "photos", folder / "work")).posts
    seconds, cpu, peak = time.perf_counter() - start, time.process_time() - cpu, peak_memory()
    tags = posts.select(pl.col("tags").list.len().sum()).item()
    # A string of a table takes 16 bytes; a time, the place of a list's end, a latitude and a longitude 8 each.
    table = (16 * (2 * len(posts) + tags) + 8 * (len(posts.columns) - 2) * len(posts)) / 1e6
    start = time.perf_counter()
    write_parquet(posts, folder / "posts.parquet")
    return Reading(seconds, cpu, time.perf_counter() - start, before, peak, peak_memory(), table, len(posts))


def in_small(folder: Path) -> Path:
    """A folder with a file of few rows: what is read first imports libraries."""
    small = folder / "small"
    small.mkdir(exist_ok=True)
    make(small / FILE, 100)
    return small


def peak_memory() -> float:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def make(path: Path, rows: int) -> None:
    """Writes the database."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA page_size = 1024")
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"CREATE TABLE yfcc100m_dataset ({COLUMNS})")
        connection.executemany(f"INSERT INTO yfcc100m_dataset VALUES ({', '.join('?' * 23)})", made_rows(rows))
        connection.commit()


def made_rows(rows: int) -> Iterator[tuple]:
    """Yields rows in the order of the key."""
    rng = np.random.default_rng(SEED)
    users = max(1, rows // POSTS_OF_A_USER)
    for start in range(0, rows, ROWS_PER_CHUNK):
        number = min(ROWS_PER_CHUNK, rows - start)
        lengths = np.where(rng.random(number) < UNTAGGED, 0, rng.geometric(1 / TAGS_OF_A_POST, number)).tolist()
        drawn = iter(long_tailed(rng, TAGS, sum(lengths)).tolist())
        owners = long_tailed(rng, users, number).tolist()
        videos = (rng.random(number) < VIDEOS).tolist()
        positions = [
            (longitude, latitude, 16) if is_located else ("", "", "")
            for longitude, latitude, is_located in zip(
                rng.uniform(-180, 180, number).tolist(),
                rng.uniform(-90, 90, number).tolist(),
                (rng.random(number) < LOCATED).tolist(),
                strict=True,
            )
        ]
        for place in range(number):
            photo, user = 4_000_000 + 70 * (start + place), f"{10_000_000 + 37 * owners[place]}@N0{owners[place] % 9}"
            # Flickr keeps a tag of a photo once.
            tags = ",".join(dict.fromkeys(word(next(drawn)) for _ in range(lengths[place])))
            yield (
                *(photo, user, "some+one", f"2010-05-{1 + place % 28:02} 12:24:{place % 60:02}.0", "1308170403"),
                *("Canon+EOS+5D", "A+title%2C+such+as+it+is", "Words+on+it+" * (place % 12), tags, ""),
                *positions[place],
                f"http://www.flickr.com/photos/{user}/{photo}/",
                f"http://farm6.staticflickr.com/5069/{photo}_b5cb7b4f18.jpg",
                *("Attribution-NonCommercial License", "http://creativecommons.org/licenses/by-nc/2.0/", 5069, 6),
                *("b5cb7b4f18", "4bbc3a35e5", "jpg", int(videos[place])),
            )


def word(rank: int) -> str:
    """Returns the tag of a rank; every tenth has a blank and a non-ASCII letter, as URLs encode them."""
    return f"tag{rank:x}" if rank % 10 else f"t%C3%A4g+{rank:x}"


def long_tailed(rng: np.random.Generator, names: int, number: int) -> np.ndarray:
    """Ranks below `names`, int64 [number]: each decade of them is as likely as the next."""
    return (names ** rng.random(number)).astype(np.int64) - 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 3_000_000, 10_000_000], help="of each file")
    parser.add_argument("--rounds", type=int, default=2, help="of reading, in turns (default: %(default)s)")
    arguments = parser.parse_args()
    main(arguments.rows, arguments.rounds)
