"""A crawl of users and groups that is killed again and again, at any moment."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from pipeline.data import shards
from pipeline.files.parquet import write_parquet
from pipeline.sources.base import Crawled
from pipeline.sources.flickr import listing
from pipeline.sources.flickr.journal import Journal, journal_path
from pipeline.sources.flickr.outcome import OK
from pipeline.sources.flickr_users.lists import Lists
from tests.support.fake_flickr import FakeFlickr, serving
from tests.support.fake_lists import FakeList
from tests.support.flickr_users import crawl_users, flickr_users, streams

ROOT = Path(__file__).parents[3]
KILLS = 20
IN_FLIGHT = 4
RATE = 100.0
"""Queries a second, and a fifth of the pictures."""
SCRIPT = """
import sys
from pathlib import Path
from pipeline.data import shards
from pipeline.sources.flickr import listing
from tests.support.fake_flickr import FakeFlickr
from tests.support.flickr_users import crawl_users

listing.PER_PAGE, shards.PHOTOS_PER_SHARD = 20, 50
print("ready", flush=True)
rate = float(sys.argv[3])
settings = {"api_rate": rate, "photo_rate": 5 * rate, "in_flight": 4}
crawl_users(Path(sys.argv[1]), FakeFlickr({}, url=sys.argv[2]), sys.argv[4:], **settings)
"""


def started(place: Path, fake: FakeFlickr, names: list[str], rate: float) -> subprocess.Popen:
    """A process that crawls, and has imported all of its code."""
    command = [sys.executable, "-c", SCRIPT, place, fake.url, str(rate), *names]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout.readline() == b"ready\n"
    return process


def finished(place: Path, fake: FakeFlickr) -> Counter:
    """The requests so far for all that the journal has: pictures, and pages of lists that are whole."""
    path = journal_path(flickr_users(fake), place / "work")
    if not path.exists():
        return Counter()
    with Journal.read(path) as journal:
        lists = Lists(journal)
        whole = {lists.state(name).found for name, status, *_ in lists.outcomes() if status == OK}
        photos = [photo for (photo,) in journal.connection.execute(f"SELECT id FROM photo WHERE status = '{OK}'")]
    pages = {call: number for call, number in fake.calls.items() if whole & {value for _, value in call}}
    return Counter({photo: fake.asked["image", photo] for photo in photos} | pages)


def requests(fake: FakeFlickr) -> int:
    return sum(fake.asked.values()) + sum(fake.calls.values())


def written(place: Path, crawled: Crawled) -> dict[str, bytes]:
    write_parquet(crawled.posts, place / "posts.parquet")
    write_parquet(crawled.left_out, place / "left_out.parquet")
    files = [*place.glob("*.parquet"), *place.glob("photos/*")]
    return {str(file.relative_to(place)): file.read_bytes() for file in files}


@pytest.mark.slow
def test_twenty_kills_lose_nothing_and_ask_for_nothing_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "PHOTOS_PER_SHARD", 50)
    monkeypatch.setattr(listing, "PER_PAGE", 20)
    photos, lists = streams(*[60] * 20, same_second=7)
    lists["900@N01"] = FakeList(list(photos)[::3], "Sea", "sea", is_group=True)
    for photo in list(photos)[::50]:
        photos[photo].image = ("503", "404", "…")
    names = [*(f"{user}@N00" for user in range(1, 17)), "alias17", "99@N00", "https://www.flickr.com/groups/sea/"]
    moments = random.Random(14)
    with serving(photos, lists) as fake:
        undisturbed = written(tmp_path / "one", crawl_users(tmp_path / "one", fake, names))
        needed = requests(fake)
        fake.asked.clear()
        fake.calls.clear()
        kept: Counter = Counter()
        for kill in range(KILLS):
            process = started(tmp_path / "two", fake, names, RATE)
            # After a number of requests, however fast this machine is, and at any moment of the last of them.
            enough = requests(fake) + moments.randrange(2 * needed // KILLS * 9 // 10)
            while process.poll() is None and requests(fake) < enough:
                time.sleep(0.001)
            time.sleep(moments.uniform(0.0, 0.02))
            assert process.poll() is None, f"the crawl was done before kill {kill}"
            process.kill()
            process.wait()
            time.sleep(0.05)  # The server ends what it was asked for.
            assert {what: finished(tmp_path / "two", fake)[what] for what in kept} == kept, "nothing is lost"
            kept = finished(tmp_path / "two", fake)
        crawled = crawl_users(tmp_path / "two", fake, names)
        assert {what: finished(tmp_path / "two", fake)[what] for what in kept} == kept, "nothing is asked for twice"
        asked = requests(fake)
    assert 0 < len(kept) < needed
    assert asked - needed <= KILLS * IN_FLIGHT, "only what was in flight is asked for again"
    assert written(tmp_path / "two", crawled) == undisturbed
