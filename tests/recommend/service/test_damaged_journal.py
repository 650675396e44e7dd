"""A bit flips in the journal of accepted posts: it is found, or nothing differs; vectors are computed again."""

import random
import shutil
import sqlite3

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.files.rows import SEAL
from pipeline.recommend.service.journal import HeldPhoto, Journal, Post
from tests.support.fake_recommender import photo_of
from tests.support.flipped_bits import flip

TRIES = 200
PHOTOS = [
    HeldPhoto(f"{number:064}", photo_of((number, 0, 0)), {"colour": np.full(99, number, np.float32)}, number * 1000)
    for number in range(9)
]


def keep(path) -> None:
    with Journal.open(path, "networks") as journal:
        for number, photo in enumerate(PHOTOS):
            user, tags = ("ann", "bob")[number % 2], ("sea", f"tag{number}")
            journal.accept(Post(f"post{number}", user, photo.hash, f"{number}.jpg", tags), photo)


def contents(path) -> list[object]:
    """Reads all that the journal holds, after vectors that it lacks are computed again."""
    with Journal.open(path, "networks") as journal:
        for photo in filter(journal.photo, journal.without_vectors()):
            journal.add_vectors(next(each for each in PHOTOS if each.hash == photo))
        photos = [journal.photo(photo.hash) for photo in PHOTOS]
        vectors = [None if photo is None else photo.vectors["colour"].tolist() for photo in photos]
        learned = [
            [(photo.hash, photo.vectors["colour"].tolist(), photo.time, tags) for photo, tags in posts]
            for posts in map(journal.learned, ("ann", "bob"))
        ]
        known = [journal.posts(), journal.users(), journal.tags("ann"), journal.tags("bob")]
        table = journal.table().select("user", "photo", "tags", "time").rows()
        return [*known, table, [*journal.photos()], [(photo.hash, photo.jpeg) for photo in photos], vectors, learned]


def test_a_flipped_bit_is_found(tmp_path):
    path, damaged, rng = tmp_path / "j.sqlite", tmp_path / "damaged.sqlite", random.Random(16)
    keep(path)
    good, found = contents(path), 0
    for _ in range(TRIES):
        shutil.copy(path, damaged)
        bit = flip(damaged, rng)
        try:
            assert contents(damaged) == good, bit
        except InputError:
            found += 1
    assert found > TRIES / 10


def test_the_log_that_a_killed_service_leaves_holds_nothing_that_could_be_lost(tmp_path):
    path, left = tmp_path / "j.sqlite", tmp_path / "left.sqlite"
    with Journal.open(path, "networks") as journal:
        for number, photo in enumerate(PHOTOS):
            journal.accept(Post(f"post{number}", "ann", photo.hash, f"{number}.jpg", ("sea",)), photo)
        # Both files as they lie while it is open, but for a bit of the log.
        shutil.copy(path, left)
        log = bytearray(path.with_name("j.sqlite-wal").read_bytes())
    log[len(log) // 50] ^= 1
    left.with_name("left.sqlite-wal").write_bytes(log)
    with Journal.open(left, "networks") as journal:
        assert len(journal.posts()) == len(PHOTOS)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("UPDATE post SET tags = '[\"see\"]' WHERE number = 3", "row 3 of its table 'post' is not as it was written"),
        ("UPDATE taken SET milliseconds = 7 WHERE rowid = 2", "DELETE FROM taken WHERE rowid = 2"),
        ("UPDATE photo SET jpeg = 'x' WHERE rowid = 5", "The photo '4.jpg' in the journal is damaged: accept its tags"),
        ("DELETE FROM photo WHERE rowid = 5", "The photo '4.jpg' in the journal is damaged: accept its tags"),
    ],
)
def test_what_cannot_be_computed_again_is_one_sentence(tmp_path, change, sentence):
    path = tmp_path / "j.sqlite"
    keep(path)
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    with pytest.raises(InputError, match=sentence):
        contents(path)
    if "photo" in change:
        keep_again = Post("again", "ann", PHOTOS[4].hash, "4.jpg", ("sea", "tag4"))
        with Journal.open(path, "networks") as journal:
            assert journal.photo(PHOTOS[4].hash) is None
            journal.accept(keep_again, PHOTOS[4])
            assert journal.photo(PHOTOS[4].hash).jpeg == PHOTOS[4].jpeg


def test_a_journal_of_before_gets_seals(tmp_path):
    path = tmp_path / "j.sqlite"
    keep(path)
    good = contents(path)
    with sqlite3.connect(path) as connection:
        for table in ("post", "photo", "taken", "vectors"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {SEAL}")
        connection.execute("PRAGMA user_version = 1")
    assert contents(path) == good
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE post SET user = 'eve'")
    with pytest.raises(InputError, match="post"):
        contents(path)
