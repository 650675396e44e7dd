"""Pages of lists that change while they are walked, break off, or are killed: none twice, none missed."""

import polars as pl
import pytest

from pipeline.data.schema import PHOTO, TIME
from pipeline.files.parquet import write_parquet
from pipeline.sources.flickr import listing
from pipeline.sources.flickr.outcome import Stopped
from pipeline.sources.flickr_users.lists import Lists
from tests.support.fake_flickr import FakePhoto, serving
from tests.support.fake_lists import FakeList
from tests.support.flickr_users import crawl_users, streams


@pytest.fixture(autouse=True)
def short_pages(monkeypatch):
    monkeypatch.setattr(listing, "PER_PAGE", 4)


def photos_of(crawled) -> list[int]:
    return sorted(map(int, crawled.posts["photo"]))


@pytest.mark.parametrize("same_second", [1, 3, 4, 9, 100])
def test_all_photos_are_listed_however_many_were_uploaded_in_one_second(tmp_path, same_second):
    photos, lists = streams(25, 8, same_second=same_second)
    with serving(photos, lists) as fake:
        assert photos_of(crawl_users(tmp_path, fake, ["1@N00", "2@N00"], pictures=False)) == list(photos)
        assert set(fake.calls.values()) == {1}


@pytest.mark.parametrize("odd", [2**33, 2**62, "9" * 30, -1, None, "yesterday"])
def test_a_photo_with_an_impossible_time_costs_no_other(tmp_path, odd):
    photos, lists = streams(25)
    photos[12].listed = {"dateupload": odd}
    with serving(photos, lists) as fake:
        crawled = crawl_users(tmp_path, fake, ["1@N00"], pictures=False)
    assert photos_of(crawled) == list(photos)
    assert crawled.posts.filter(pl.col(TIME).is_null())[PHOTO].to_list() == ["12"]


def test_photos_that_come_and_go_between_pages_move_no_others(tmp_path):
    photos, lists = streams(22)
    with serving(photos, lists) as fake:
        stream, new, gone = lists["1@N00"].photos, iter(range(100, 200)), iter(range(22, 12, -1))

        def between_pages() -> None:
            for photo in (next(new), next(new)):
                photos[photo] = FakePhoto("1@N00", uploaded=1_400_000_000 + photo)
                stream.append(photo)
            stream.remove(next(gone))

        fake.between_pages = between_pages
        assert set(range(1, 23)) <= set(photos_of(crawl_users(tmp_path, fake, ["1@N00"], pictures=False)))


@pytest.mark.parametrize("change", ["added", "removed", "many removed", "both"])
def test_a_pool_that_changes_between_pages_loses_none_that_stayed(tmp_path, change):
    photos, lists = streams(40)
    pool = list(range(1, 31))
    with serving(photos, lists) as fake:
        fake.lists["9@N01"] = FakeList(pool, "Sea", "sea", is_group=True)
        turns = iter(range(3))

        def between_pages() -> None:
            if next(turns, None) is not None:
                if change in ("added", "both"):
                    pool[:0] = [max(pool) + 1]
                if change in ("removed", "both"):
                    del pool[1:3]
                if change == "many removed":
                    del pool[:9]

        fake.between_pages = between_pages
        crawled = crawl_users(tmp_path, fake, [], groups=["sea"], file=None, pictures=False)
    assert set(pool) & set(range(1, 31)) <= set(photos_of(crawled))


def test_a_limit_keeps_the_newest_and_a_higher_one_asks_for_the_rest_alone(tmp_path):
    photos, lists = streams(20, 3)
    with serving(photos, lists) as fake:
        names = ["1@N00", "2@N00"]
        assert photos_of(crawl_users(tmp_path, fake, names, limit=6, pictures=False)) == [*range(15, 21), 21, 22, 23]
        few = sum(fake.calls.values())
        assert photos_of(crawl_users(tmp_path, fake, names, limit=None, pictures=False)) == list(photos)
        assert set(fake.calls.values()) == {1}
        assert sum(fake.calls.values()) > few
        assert photos_of(crawl_users(tmp_path, fake, names, limit=2, pictures=False)) == [19, 20, 22, 23]


@pytest.mark.parametrize("reply", ["503", "html", "403", "reset"])
def test_a_page_that_never_comes_ends_its_list_and_no_other(tmp_path, reply):
    photos, lists = streams(12, 6)
    with serving(photos, lists) as fake:
        lists["1@N00"].replies = ("good", reply, "…")
        crawled = crawl_users(tmp_path, fake, ["1@N00", "2@N00"], pictures=False, attempts=2, backoff=0.0001)
        assert photos_of(crawled) == [*range(9, 13), *range(13, 19)]
        (row,) = crawled.left_out.select("user", "photo", "reason", "detail").rows()
        assert row[:3] == ("1@N00", None, "http error")
        assert row[3].endswith(", after 4 photos")
        lists["1@N00"].replies = ()
        again = crawl_users(tmp_path, fake, ["1@N00", "2@N00"], pictures=False, retry=["http error"])
        assert photos_of(again) == list(photos)
        assert again.left_out.is_empty()


def test_an_api_that_is_down_fails_no_list(tmp_path):
    photos, lists = streams(12, 6)
    with serving(photos, lists) as fake:
        fake.down = {"api"}
        for _ in range(2):
            with pytest.raises(Stopped):
                crawl_users(tmp_path, fake, ["1@N00", "2@N00"], backoff=0.0001, refusals=2)
        fake.down = set()
        assert photos_of(crawl_users(tmp_path, fake, ["1@N00", "2@N00"])) == list(photos)


class KilledError(Exception):
    """The end of a process."""


@pytest.mark.parametrize("committed", [True, False])
def test_a_crawl_killed_at_any_page_resumes_to_the_same_bytes_and_asks_no_page_twice(tmp_path, monkeypatch, committed):
    photos, lists = streams(14, 9, 1)
    names = ["1@N00", "2@N00", "alias3"]
    keep_page, left = Lists.keep_page, 0

    def killed(self, *arguments) -> None:
        nonlocal left
        left -= 1
        if left < 0 and not committed:
            raise KilledError
        keep_page(self, *arguments)
        if left < 0:
            raise KilledError

    with serving(photos, lists) as fake:
        undisturbed = crawl_users(tmp_path / "undisturbed", fake, names, in_flight=1)
        fake.calls.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Lists, "keep_page", killed)
            for pages in (0, 1, 0, 2):
                left = pages
                with pytest.raises(KilledError):
                    crawl_users(tmp_path, fake, names, in_flight=1)
        crawled = crawl_users(tmp_path, fake, names, in_flight=1)
        # A page that came, but was not committed, is asked for once more after each of the four ends.
        assert sum(number - 1 for number in fake.calls.values()) == (0 if committed else 4)
    for name in ("posts", "left_out"):
        write_parquet(getattr(undisturbed, name), tmp_path / f"one/{name}.parquet")
        write_parquet(getattr(crawled, name), tmp_path / f"two/{name}.parquet")
        assert (tmp_path / f"one/{name}.parquet").read_bytes() == (tmp_path / f"two/{name}.parquet").read_bytes()
    shards = {file.name: file.read_bytes() for file in (tmp_path / "photos").iterdir()}
    assert shards == {file.name: file.read_bytes() for file in (tmp_path / "undisturbed/photos").iterdir()}


def test_pages_that_a_host_numbers_without_end_come_to_an_end():
    photo = listing.ListedPhoto(
        photo="1", owner="1@N00", name="", words=[], taken=None, uploaded=5, address="", licence=None, media="photo"
    )
    for kind in ("people", "groups"):
        cursor, steps = listing.Cursor(page=listing.LAST_PAGE - 3), 0
        while cursor is not None:
            page = listing.Page(photos=[photo], unusable=0, pages=10**18, total=10**18)
            cursor, steps = listing.next_cursor(kind, cursor, page), steps + 1
            assert steps < listing.LAST_PAGE + 10
