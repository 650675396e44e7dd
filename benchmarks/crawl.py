"""A full-size crawl of NUS-WIDE, rehearsed: the journal in numbers, the crawl's memory over time, the days it takes.

    python -m benchmarks.crawl [PHOTOS]

Writes a journal of 269,648 rows; crawls PHOTOS (20,000) from a server on loopback, unthrottled, API and pictures, and
prints the memory of the crawling process over time. The server and its pictures are the tests' own.
"""

import multiprocessing
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

from pydantic import SecretStr

from benchmarks.machine import processor
from pipeline.data.photo import Photo
from pipeline.sources.base import CrawlTask
from pipeline.sources.flickr.api import PhotoInfo
from pipeline.sources.flickr.journal import Journal
from pipeline.sources.nus_wide.collect import collect

ROOT = Path(__file__).parents[1]
ALL = 269_648
PICTURE = 100_000
"""Bytes of a picture of 500 pixels, about."""
PICTURES = 3_000
QUERIES_AN_HOUR = 3_600
TAGS = tuple(f"tag{number}" for number in range(19))


def journal(folder: Path) -> None:
    """Measures speed and size of the journal: rows with Flickr's answers, and rows with pictures."""
    path = folder / "journal.sqlite"
    info = PhotoInfo(owner="1234567@N00", tags=[("1234567@N00", tag) for tag in TAGS], server="1", secret="a", posted=1)
    picture = Photo("1", bytes(range(250)) * (PICTURE // 250), 500, 375)
    ids = [str(photo) for photo in range(10**9, 10**9 + ALL)]
    with Journal.open(path) as kept:
        timed("rows taken in", ALL, lambda: kept.expect(ids, {}))
        timed("answers kept, a commit each", ALL, lambda: [kept.keep_info(photo, info) for photo in ids])
        timed(
            "outcomes recorded, a commit each",
            ALL,
            lambda: [kept.record(photo, "not found", 1, "Flickr's code 1") for photo in ids],
        )
        timed("waiting photos listed", ALL, kept.waiting)
        timed("summary", ALL, kept.summary)
        timed("all rows read", ALL, kept.rows)
        print(f"journal of {ALL:,} rows, 19 tags each, without pictures: {path.stat().st_size / 1e6:.0f} MB")
        before = path.stat().st_size
        timed(
            "pictures recorded, a commit each",
            PICTURES,
            lambda: [kept.record(p, "ok", 1, "", picture) for p in ids[:PICTURES]],
        )
    print(f"{PICTURES:,} pictures of {PICTURE:,} bytes: {(path.stat().st_size - before) / PICTURES:,.0f} bytes each")


def timed(what: str, rows: int, work) -> None:
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    print(f"{what}: {rows:,} in {seconds:.2f} s ({rows / seconds:,.0f}/s)")


def crawl(folder: Path, number: int) -> None:
    """Crawls photos from a server in another process, and prints this process's memory over time."""
    from tests.support.nus_wide_folder import configured, write_lists

    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, number), daemon=True)
    server.start()
    api_url, photo_url = ours.recv()
    write_lists(folder / "data", photos(number))
    rates = {"api_rate": 1e6, "photo_rate": 1e6, "in_flight": 8, "timeout": 60.0}
    config = configured(api_url=api_url, photo_url=photo_url, **rates)
    seen: list[tuple[float, float]] = []
    done = threading.Event()

    def watch() -> None:
        start = time.monotonic()
        while not done.wait(1.0):
            seen.append((time.monotonic() - start, memory()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    task = CrawlTask(folder / "data", folder / "photos", folder / "work")
    posts = collect(config, task, SecretStr(key())).posts
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    server.kill()
    print(f"{len(posts):,} photos, two requests each: {seconds:.0f} s ({len(posts) / seconds:.0f} photos/s)")
    for when, megabytes in seen[:: max(1, len(seen) // 12)]:
        print(f"  {when:6.0f} s  {megabytes:6.0f} MB")


def serve(pipe: Connection, number: int) -> None:
    from tests.support.fake_flickr import serving

    with serving(photos(number)) as fake:
        pipe.send((fake.api_url, fake.photo_url))
        threading.Event().wait()


def photos(number: int):
    """Photos of 500 × 375 pixels; a thousand different pictures would only fill the server's memory."""
    from tests.support.fake_flickr import FakePhoto, jpeg

    pictures = [jpeg(seed, 500, 375) for seed in range(20)]
    return {10**9 + turn: FakePhoto(f"{turn % 997}@N00", TAGS[:7], pictures[turn % 20]) for turn in range(number)}


def key() -> str:
    from tests.support.fake_flickr import KEY

    return KEY


def memory() -> float:
    """The resident memory of this process now, in MB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1000


def main(number: int = 20_000) -> None:
    print(processor())
    with tempfile.TemporaryDirectory() as folder:
        journal(Path(folder))
        crawl(Path(folder), number)
    hours = ALL / QUERIES_AN_HOUR
    print(f"At {QUERIES_AN_HOUR:,} queries an hour: {hours:.1f} hours, {hours / 24:.1f} days for {ALL:,} photos;")
    print("pictures are fetched meanwhile, at one a second in as many hours.")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
