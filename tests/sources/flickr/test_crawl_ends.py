"""A crawl ends: photos that no host ever gives become http errors, and only a host that is down stops it."""

import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.flickr.host import Manners
from pipeline.sources.flickr.journal import Journal
from pipeline.sources.flickr.outcome import Stopped
from tests.support.fake_flickr import FakePhoto, serving
from tests.support.flickr_crawl import crawl, listed

GOOD = 8
REFUSALS = 6
MANNERS = Manners(rate=5000, attempts=2, backoff=0.0001, refusals=REFUSALS)
KINDS = pytest.mark.parametrize("kind", ["api", "image"])


class KilledError(Exception):
    """The end of a process in the middle of a crawl."""


def photos(bad: int, kind: str = "image", first: bool = False) -> dict[int, FakePhoto]:
    """Good photos, and bad ones after them, or before them, that a host answers with 503 for ever."""
    ids = range(1, GOOD + bad + 1)
    is_bad = (lambda photo: photo <= bad) if first else (lambda photo: photo > GOOD)
    return {photo: FakePhoto(**({kind: ("503", "…")} if is_bad(photo) else {})) for photo in ids}


def run(path, fake, **options):
    options = {"api": True, "manners": MANNERS, "in_flight": 2, "passes": 2} | options
    return {photo: row["status"] for photo, row in crawl(path, fake, **options).items()}


def run_to_the_end(path, fake, runs: int, **options):
    """Runs until a run ends well, `runs` times at most."""
    for _ in range(runs - 1):
        with contextlib.suppress(Stopped):
            return run(path, fake, **options)
    return run(path, fake, **options)


def retry(path) -> int:
    with Journal.open(path) as journal:
        return journal.ask_again(["http error"])


def expected(fake, kind: str):
    return {photo: "http error" if getattr(known, kind) else "ok" for photo, known in fake.photos.items()}


def kill_after(monkeypatch, rows: int) -> None:
    """Makes the next crawl end when it has committed so many rows."""
    record, left = Journal.record, iter(range(rows))

    def recorded(self, *arguments):
        record(self, *arguments)
        if next(left, None) is None:
            raise KilledError

    monkeypatch.setattr(Journal, "record", recorded)


@KINDS
@pytest.mark.parametrize("bad", [0, 1, REFUSALS - 1, REFUSALS, REFUSALS + 1, 3 * REFUSALS])
def test_bad_photos_end_as_http_errors_however_many_and_however_often_they_are_retried(tmp_path, kind, bad):
    path = tmp_path / "j.sqlite"
    with serving(photos(bad, kind)) as fake:
        # New photos in a row that a host refuses may be its own trouble: each such row is a run that stops.
        assert run_to_the_end(path, fake, 2 + bad // REFUSALS) == expected(fake, kind)
        for _ in range(2):
            assert retry(path) == bad
            assert run(path, fake) == expected(fake, kind)
        for known in fake.photos.values():
            known.api = known.image = ()
        retry(path)
        assert set(run(path, fake).values()) == {"ok"}


def test_bad_photos_before_all_good_ones_end_as_http_errors(tmp_path):
    with serving(photos(3 * REFUSALS, first=True)) as fake:
        found = run_to_the_end(tmp_path / "j.sqlite", fake, 2 + math.ceil(3 * REFUSALS / 4))
        assert found == expected(fake, "image")


@settings(max_examples=12, deadline=None)
@given(bad=st.integers(1, 2 * REFUSALS), rows=st.lists(st.integers(0, 3 * REFUSALS), max_size=4), again=st.booleans())
def test_a_crawl_killed_in_any_pass_ends(tmp_path_factory, bad, rows, again):
    path = tmp_path_factory.mktemp("killed") / "j.sqlite"
    with serving(photos(bad)) as fake:
        for number in rows:
            with pytest.MonkeyPatch.context() as patch, contextlib.suppress(KilledError, Stopped):
                kill_after(patch, number)
                run(path, fake)
                if again:
                    retry(path)
        assert run_to_the_end(path, fake, 2 + bad // REFUSALS) == expected(fake, "image")


@KINDS
@pytest.mark.parametrize("begun", [False, True])
def test_a_host_that_is_down_stops_a_crawl_with_nothing_given_up(tmp_path, kind, begun):
    path = tmp_path / "j.sqlite"
    with serving(photos(3 * REFUSALS, kind)) as fake:
        if begun:
            run_to_the_end(path, fake, 5)
            retry(path)
        fake.down = {kind}
        for _ in range(6):
            with pytest.raises(Stopped):
                run(path, fake)
        with Journal.read(path) as journal:
            assert "http error" not in journal.summary()
        fake.down = set()
        assert run_to_the_end(path, fake, 6) == expected(fake, kind)


def test_a_host_that_goes_down_in_the_last_pass_fails_no_photo(tmp_path):
    path = tmp_path / "j.sqlite"
    with serving(photos(2)) as fake:
        run(path, fake)
        retry(path)
        fake.down = {"image"}
        with pytest.raises(Stopped, match="2 photos are pending"):
            run(path, fake, manners=Manners(5000, 2, 0.0001, 60))
        fake.down = set()
        assert run(path, fake) == expected(fake, "image")


@pytest.mark.parametrize("photo", [1, GOOD])
def test_a_photo_that_asks_for_a_long_pause_holds_up_no_other(tmp_path, photo):
    path = tmp_path / "j.sqlite"
    with serving({number: FakePhoto() for number in range(1, GOOD + 1)}) as fake:
        fake.photos[photo].image = ("503 99999999", "…")
        with pytest.raises(Stopped, match="come back in"):
            run(path, fake)
        assert run(path, fake) == expected(fake, "image")


def test_an_api_that_forbids_everything_fails_no_photo(tmp_path):
    path = tmp_path / "j.sqlite"
    with serving({photo: FakePhoto(api=("403", "…")) for photo in range(1, 60)}) as fake:
        fake.photos[1].api = ()
        with pytest.raises(Stopped, match="in a row"):
            run(path, fake)
        with Journal.read(path) as journal:
            assert set(journal.summary()) <= {"ok", "pending", "pending retry"}


def test_photos_that_were_put_off_cost_no_pause(tmp_path, caplog):
    path = tmp_path / "j.sqlite"
    with serving(photos(12)) as fake:
        run_to_the_end(path, fake, 4)
        retry(path)
        # A pause after the twelfth refusal in a row would be 0.01 s times 4,096.
        with caplog.at_level("INFO"):
            assert run(path, fake, manners=Manners(5000, 1, 0.01, 60)) == expected(fake, "image")
    assert "left alone" not in caplog.text


def test_an_address_list_has_a_witness_too(tmp_path):
    path = tmp_path / "j.sqlite"
    with serving(photos(8)) as fake:
        options = {"api": False, "addresses": {photo: listed(photo) for photo in fake.photos}}
        run_to_the_end(path, fake, 3, **options)
        retry(path)
        assert run(path, fake, **options) == expected(fake, "image")
        assert not fake.asked["api", 1]


@pytest.mark.parametrize("wall", ["html", "redirect elsewhere", "redirect placeholder", "403", "empty"])
@pytest.mark.parametrize("begun", [False, True])
def test_a_wall_before_the_image_host_fails_no_photo(tmp_path, wall, begun):
    """A passing block (C6) answers for every photo alike: with a page, a redirect to one, or a refusal."""
    path = tmp_path / "j.sqlite"
    with serving({photo: FakePhoto() for photo in range(1, 12)}) as fake:
        if begun:
            fake.photos[9].image = ("404", "…")
            run(path, fake)
            with Journal.open(path) as journal:
                journal.expect(map(str, fake.photos))
                journal.connection.execute("DELETE FROM picture WHERE id > 3")
                journal.connection.execute("UPDATE photo SET status = 'pending' WHERE id > 3")
            fake.photos[9].image = ()
        fake.walls = {"image": wall}
        for _ in range(2):
            with pytest.raises(Stopped):
                run(path, fake)
        with Journal.read(path) as journal:
            assert journal.summary().keys() <= {"ok", "pending", "pending retry"}
        fake.walls = {}
        assert set(run(path, fake).values()) == {"ok"}


def test_a_photo_that_has_gone_is_a_witness_too(tmp_path):
    """Where no photo is ok, one that was not found proves that the host answers (C1)."""
    path = tmp_path / "j.sqlite"
    with serving({photo: FakePhoto(api=("fail 1", "…")) for photo in range(1, 4)}) as fake:
        run(path, fake)
        fake.photos[4] = FakePhoto(api=("503", "…"))
        assert run_to_the_end(path, fake, 2)[4] == "http error"
