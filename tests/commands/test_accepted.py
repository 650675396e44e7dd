"""Accepted posts become a table, which takes the place of none that has other posts."""

import errno
import itertools
import os
import re
from contextlib import ExitStack

import pytest

from commands.accepted import main
from pipeline.errors import InputError
from pipeline.keywords.capture_place import add_place, place_taken
from pipeline.recommend.service.journal import HeldPhoto, Journal, Post
from pipeline.sources.table.source import TableSource
from tests.support.fake_recommender import photo_of

FIRST, SECOND = "1" * 64, "2" * 64
ROWS = ["user,photo,tags,time", f"ann,{FIRST}.jpg,sea,7", f"ann,{FIRST}.jpg,sun,7"]


@pytest.fixture
def journal(tmp_path):
    accept(tmp_path / "journal.sqlite", FIRST, "sea", "sun")
    return tmp_path / "journal.sqlite"


def written(folder) -> dict[str, bytes]:
    """What a journal's files hold, apart from SQLite's locks."""
    return {path.name: path.read_bytes() for path in folder.glob("journal*") if not path.name.endswith("-shm")}


def refuse(path, *_: object) -> int:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def accept(path, photo, *tags, place=None, again=0):
    jpeg = add_place(photo_of("red"), place) if place else photo_of("red")
    with Journal.open(path, "networks") as journal:
        journal.accept(Post(f"post {again} of {photo}", "ann", photo, "a.jpg", tags), HeldPhoto(photo, jpeg, {}, 7000))


def test_posts_and_photos_are_written_again_as_more_are_accepted(journal, tmp_path):
    table, photos = tmp_path / "out" / "posts.csv", tmp_path / "out" / "photos"
    assert main(table, photos, journal) == f"accepted: 1 post in {table}, 1 photo in {photos}"
    assert table.read_text().splitlines() == ROWS
    accept(journal, SECOND, "sky")
    main(table, photos, journal)
    assert table.read_text().splitlines() == [*ROWS, f"ann,{SECOND}.jpg,sky,7"]
    assert {path.name for path in photos.iterdir()} == {f"{FIRST}.jpg", f"{SECOND}.jpg"}


@pytest.mark.parametrize(
    ("table", "photos", "words"),
    [
        ("same", "same", r"--csv is \S+/same, where --photos makes a folder: name another file\.$"),
        ("same", "./x/../same", r"--csv is \S+/same, where --photos makes a folder: name another file\.$"),
        ("same", "same/photos", r"--csv is \S+/same, where --photos makes a folder: name another file\.$"),
        (f"same/{FIRST}.jpg", "same", r"^--csv is \S+, in the folder of --photos, which may replace it: name another"),
        (f"link/{FIRST}.jpg", "./x/../same", r"^--csv is \S+, in the folder of --photos, which may replace it"),
        ("same/more/posts.csv", "same", r"^--csv is \S+, in the folder of --photos, which may replace it"),
        ("posts.csv", "journal.sqlite-wal", r"^--photos is \S+, which may replace the journal or its files: name"),
        ("posts.csv", "journal.sqlite-lock/photos", r"^--photos is \S+, which may replace the journal or its files"),
        ("posts.csv", "x.csv", r"^\S+/x\.csv is a file: name a folder\.$"),
        ("posts.csv", "x.csv/photos", r"^\S+/x\.csv is a file: name a folder\.$"),
        ("posts.csv", "gone", r"^\S+/gone is a broken link: name a folder\.$"),
    ],
)
def test_nothing_is_written_where_table_and_photos_cannot_both_be(journal, tmp_path, table, photos, words):
    (tmp_path / "x.csv").write_text("a file\n")
    (tmp_path / "gone").symlink_to(tmp_path / "absent")
    (tmp_path / "link").symlink_to(tmp_path / "same")
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match=words):
        main(tmp_path / table, tmp_path / photos, journal)
    assert {path.name for path in tmp_path.iterdir()} == before
    assert (tmp_path / "x.csv").read_text() == "a file\n"


def test_a_journal_with_the_name_of_a_photo_is_not_replaced_by_it(journal, tmp_path):
    named = journal.rename(tmp_path / f"{FIRST}.jpg")
    with pytest.raises(InputError, match=r"--photos is \S+, which may replace the journal"):
        main(tmp_path.parent / "posts.csv", tmp_path, named)
    assert named.read_bytes().startswith(b"SQLite")


def test_a_table_with_other_posts_stays(journal, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("user,photo,tags\nann,mine.jpg,dog\n")
    link = tmp_path / "posts.csv"
    link.symlink_to(own)
    for path in (own, link):
        with pytest.raises(InputError, match="has posts that are not in the journal: name another file, or replace it"):
            main(path, None, journal)
    assert "mine.jpg" in own.read_text()
    main(own, None, journal, replace=True)
    assert own.read_text().splitlines() == ROWS


def test_places_are_in_the_table_on_request_alone(journal, tmp_path):
    """The photos have none in either case."""
    accept(journal, SECOND, "sky", place=(-33.8568, 151.2153))
    table, photos = tmp_path / "posts.csv", tmp_path / "photos"
    main(table, photos, journal)
    assert table.read_text().splitlines() == [*ROWS, f"ann,{SECOND}.jpg,sky,7"]
    assert main(table, None, journal, places=True) == f"accepted: 2 posts in {table}, 1 with a place"
    header, *rows = ROWS
    assert table.read_text().splitlines() == [
        f"{header},latitude,longitude",
        *(f"{row},," for row in rows),
        f"ann,{SECOND}.jpg,sky,7,-33.8568,151.2153",
    ]
    main(table, photos, journal)
    assert table.read_text().splitlines() == [*ROWS, f"ann,{SECOND}.jpg,sky,7"]
    assert [place_taken(path.read_bytes()) for path in photos.iterdir()] == [None, None]


def test_a_table_with_other_places_stays(journal, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text(f"{ROWS[0]},latitude,longitude\n{ROWS[1]},51.0,13.0\n")
    with pytest.raises(InputError, match="has posts that are not in the journal"):
        main(own, None, journal, places=True)


def test_a_table_without_a_place_that_is_known_now_is_replaced(journal, tmp_path):
    """Photos may be accepted again, with a model that sees places."""
    table = tmp_path / "posts.csv"
    main(table, None, journal, places=True)
    accept(journal, FIRST, "sea", "sun", place=(-33.5, 151.25), again=1)
    assert main(table, None, journal, places=True) == f"accepted: 1 post in {table}, 1 with a place"
    assert table.read_text().splitlines()[1:] == [f"{row},-33.5,151.25" for row in ROWS[1:]]


def test_a_place_stays_known_where_a_later_model_sees_none(journal, tmp_path):
    place = (-33.5, 151.25)
    accept(journal, FIRST, "sea", "sun", place=place, again=1)
    accept(journal, FIRST, "sea", "sun", again=2)
    assert main(tmp_path / "posts.csv", None, journal, places=True).endswith("1 with a place")
    accept(journal, FIRST, "sea", "sun", place=(51.0, 13.0), again=3)
    main(tmp_path / "posts.csv", None, journal, replace=True, places=True)
    assert (tmp_path / "posts.csv").read_text().splitlines()[1].endswith(",51.0,13.0")


def test_tagrec_begin_recognises_the_places_of_a_table_of_accepted_posts(journal, tmp_path):
    for number in range(3, 6):
        accept(journal, str(number) * 64, "sky", place=(-33.5, 151.0 + number))
    main(tmp_path / "out" / "posts.csv", None, journal, places=True)
    found = TableSource.recognise(tmp_path / "out", {})
    assert (found.settings["latitude"], found.settings["longitude"]) == ("latitude", "longitude")


def test_a_device_or_the_file_of_a_stream_stays(journal, tmp_path):
    os.mkfifo(tmp_path / "posts.csv")
    with (tmp_path / "redirected.csv").open("w") as opened:
        before = os.dup(0)
        os.dup2(opened.fileno(), 0)
        try:
            for path in (tmp_path / "posts.csv", tmp_path / "redirected.csv", tmp_path):
                with pytest.raises(InputError, match=f"{re.escape(str(path))} is not an ordinary file: name another"):
                    main(path, None, journal, replace=True)
        finally:
            os.dup2(before, 0)
            os.close(before)
    assert (tmp_path / "posts.csv").is_fifo()


@pytest.mark.parametrize("served", [True, False])
def test_a_journal_that_can_only_be_read_is_read(journal, tmp_path, monkeypatch, served):
    table = tmp_path / "out" / "posts.csv"
    with ExitStack() as writers:
        if served:
            writers.enter_context(Journal.open(journal))
        before = written(tmp_path)
        monkeypatch.setattr("pipeline.recommend.service.journal.os.access", lambda *_: False)
        monkeypatch.setattr("pipeline.recommend.service.journal.os.open", refuse)
        assert main(table, None, journal) == f"accepted: 1 post in {table}"
        assert written(tmp_path) == before


def test_the_journal_itself_and_none_are_refused(journal, tmp_path):
    with pytest.raises(InputError, match="which is the journal"):
        main(journal, None, journal, replace=True)
    for end, exists in itertools.product(("wal", "shm", "journal", "lock"), (False, True)):
        log, link = journal.with_name(f"{journal.name}-{end}"), tmp_path / f"{end} {exists}.csv"
        link.symlink_to(log)
        if exists:
            log.write_text("log")
        for path in (log, link):
            with pytest.raises(InputError, match="which is the journal or belongs to it: name another file"):
                main(path, None, journal, replace=True)
        assert log.exists() == exists
        log.unlink(missing_ok=True)
    with pytest.raises(InputError, match="`tagrec serve` makes it"):
        main(tmp_path / "out.csv", None, tmp_path / "none.sqlite")
