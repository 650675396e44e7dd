"""The journal: what is accepted stays, once."""

import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.recommend.service.batches import BusyError
from pipeline.recommend.service.journal import FullJournalError, HeldPhoto, Journal, OtherPostError, Post
from tests.support.fake_recommender import photo_of

A, B = "a" * 64, "b" * 64
RED = photo_of("red")


def photo(hash: str = A, jpeg: bytes = RED) -> HeldPhoto:
    return HeldPhoto(hash, jpeg, {"colour": np.array([1, 2.5], np.float32)})


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path / "j.sqlite", "networks") as journal:
        yield journal


def test_a_journal_that_another_process_holds_is_busy_and_not_full(journal, tmp_path):
    other = sqlite3.connect(tmp_path / "j.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    journal._connection.execute("PRAGMA busy_timeout = 1")
    with pytest.raises(BusyError):
        journal.accept(Post("1", "ann", A, "a.jpg", ("sea",), ()), photo())
    other.execute("ROLLBACK")
    other.close()
    assert journal.accept(Post("1", "ann", A, "a.jpg", ("sea",), ()), photo())


def test_a_journal_is_opened_while_another_process_writes(journal, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.recommend.service.journal.LOCK_TIMEOUT", 0)
    journal._connection.execute("BEGIN IMMEDIATE")
    with Journal.open(tmp_path / "j.sqlite", "networks") as other:
        assert other.posts() == []
    journal._connection.execute("ROLLBACK")


def test_creating_the_tables_waits_for_another_writer(tmp_path):
    writer = sqlite3.connect(tmp_path / "j.sqlite", isolation_level=None, check_same_thread=False)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.1, lambda: writer.execute("ROLLBACK"))
    release.start()
    with Journal.open(tmp_path / "j.sqlite", "networks") as journal:
        assert journal.posts() == []
    release.join()
    writer.close()


def test_a_post_is_read_back_with_its_photo(journal):
    post = Post("1", "ann", A, "a.jpg", ("sea", "beach, sunny"), (("sea", 0.75),))
    assert journal.accept(post, photo())
    assert journal.posts("ann") == [post]
    assert journal.users() == {"ann": 1}
    held = journal.photo(A)
    assert (held.hash, held.jpeg, held.vectors["colour"].tolist()) == (A, RED, [1.0, 2.5])
    assert journal.photo(B) is None


def test_the_same_post_again_is_one(journal):
    post = Post("1", "ann", A, "a.jpg", ("sea",))
    assert [journal.accept(post, photo()), journal.accept(post, photo())] == [True, False]
    assert journal.posts() == [post]


def test_another_post_of_that_id_is_refused(journal):
    journal.accept(Post("1", "ann", A, "", ("sea",)), photo())
    for other in (Post("1", "bob", A, "", ("sea",)), Post("1", "ann", A, "", ("beach",))):
        with pytest.raises(OtherPostError):
            journal.accept(other, photo())
    assert [post.tags for post in journal.posts()] == [("sea",)]


def test_the_last_post_of_a_photo_counts(journal):
    journal.accept(Post("1", "ann", A, "", ("sea",)), photo())
    journal.accept(Post("2", "ann", A, "", ("sea", "beach")), photo())
    journal.accept(Post("3", "bob", A, "", ("blue",)), photo())
    assert [(post.user, post.tags) for post in journal.posts()] == [("ann", ("sea", "beach")), ("bob", ("blue",))]
    assert journal.tags("ann") == {"beach": 1, "sea": 1}


def test_a_post_without_tags_takes_it_back(journal):
    journal.accept(Post("1", "ann", A, "", ("sea",)), photo())
    state = journal.state("ann")
    journal.accept(Post("2", "ann", A, "", ()), photo())
    assert journal.posts() == []
    assert journal.users() == {}
    assert journal.table().is_empty()
    assert list(journal.photos()) == []
    assert journal.state("ann") != state


def test_vectors_of_other_networks_are_not_read(journal, tmp_path):
    journal.accept(Post("1", "ann", A, "", ("sea",)), photo())
    with Journal.open(tmp_path / "j.sqlite", "others") as other:
        assert other.photo(A).vectors is None
        assert other.without_vectors() == [A]
        before = other.state("ann")
        other.add_vectors(photo())
        assert other.without_vectors() == []
        assert other.state("ann") != before
        assert other.photo(A).vectors["colour"].tolist() == [1.0, 2.5]


def test_a_model_without_networks_has_seen_every_photo(journal):
    journal.accept(Post("1", "ann", A, "", ("sea",)), HeldPhoto(A, RED, {}))
    assert journal.photo(A).vectors == {}
    assert journal.without_vectors() == []


def test_the_time_of_a_photo_is_kept_and_null_where_it_is_unknown(journal):
    journal.accept(Post("1", "ann", A, "", ("sea",)), replace(photo(A), time=7))
    journal.accept(Post("2", "ann", B, "", ("sun",)), photo(B))
    assert [seen.time for seen, _ in journal.learned("ann")] == [7, None]
    assert [journal.photo(hash).time for hash in (A, B)] == [7, None]


def test_the_table_has_the_time_of_the_photo_or_else_of_acceptance(journal):
    journal.accept(Post("1", "ann", A, "", ("sea",)), replace(photo(A), time=7000))
    journal.accept(Post("2", "ann", B, "", ("sun",)), photo(B))
    taken, accepted = journal.table()["time"]
    assert taken == 7
    assert accepted == pytest.approx(time.time(), abs=600)


def test_a_journal_from_before_photos_had_times_is_read_on(journal, tmp_path):
    journal.accept(Post("1", "ann", A, "", ("sea",)), photo(A))
    journal._connection.execute("DROP TABLE taken")
    with Journal.open(tmp_path / "j.sqlite", "networks") as again:
        again.accept(Post("2", "ann", B, "", ("sun",)), replace(photo(B), time=7))
        assert [seen.time for seen, _ in again.learned("ann")] == [None, 7]


def test_the_table_has_a_row_for_each_tag(journal):
    journal.accept(Post("1", "bob", B, "", ("z", "a")), photo(B, RED))
    journal.accept(Post("2", "ann", A, "", ("sea",)), photo(A, RED))
    rows = [row[:3] for row in journal.table().rows()]
    assert rows == [("ann", f"{A}.jpg", "sea"), ("bob", f"{B}.jpg", "z"), ("bob", f"{B}.jpg", "a")]
    assert list(journal.photos()) == [(f"{A}.jpg", RED), (f"{B}.jpg", RED)]


def test_a_full_journal_refuses_and_keeps_what_it_has(tmp_path):
    with Journal.open(tmp_path / "j.sqlite", largest=100_000) as journal:
        accepted = 0
        with pytest.raises(
            FullJournalError, match=r"takes no more posts \(database or disk is full\): free some space\."
        ):
            for number in range(100):
                journal.accept(
                    Post(str(number), "ann", f"{number:064}", "", ("sea",)), photo(f"{number:064}", bytes(10_000))
                )
                accepted += 1
        assert 0 < accepted == len(journal.posts())


def test_a_commit_is_flushed_to_the_disk(journal):
    connection = journal._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


@pytest.mark.usefixtures("journal")
def test_the_file_is_its_owners_alone(tmp_path):
    assert (tmp_path / "j.sqlite").stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_journal_is_left_alone(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("my notes " * 1000)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(InputError, match="journal"), Journal.open(path):
            pass
        assert path.read_bytes() == before


@pytest.mark.parametrize("name", [":memory:", "./:memory:", "file::memory:?cache=shared"])
def test_a_journal_is_a_file_whatever_its_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    post = Post("1", "ann", A, "a.jpg", ("sea",))
    with Journal.open(Path(name)) as journal:
        journal.accept(post, photo())
    with Journal.open(tmp_path / name) as journal:
        assert journal.posts() == [post]
