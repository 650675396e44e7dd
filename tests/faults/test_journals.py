"""Each write of a journal fails, and each is the last before a kill: what was confirmed is kept, and whole.

A refusal is one sentence; on a good disk, what was not confirmed is written once.
"""

import os
import random
import traceback
from collections import Counter
from collections.abc import Callable, Collection
from itertools import count
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from pipeline.data.photo import Photo
from pipeline.errors import InputError
from pipeline.recommend.service.journal import HeldPhoto, Post
from pipeline.recommend.service.journal import Journal as AcceptedPosts
from pipeline.sources.flickr.journal import Journal as CrawledPhotos
from pipeline.sources.flickr.outcome import OK
from project.explain import explain
from tests.support.fake_flickr import jpeg
from tests.support.faulty_disk import Fault, FaultyDisk
from tests.support.faulty_sqlite import find_sqlite
from tests.support.zygote import NEVER

SEED = 16
SAMPLE = 2
"""Changes at which each fault strikes on every run of the tests."""
NAMES = [str(number) for number in range(1, 4)]
FILE = "journal.sqlite"
REFUSAL = "Error: "

Say = Callable[[str], None]
"""Takes the name of an entry that is confirmed, or why one was refused."""
Writing = Callable[[Path, Say], None]
"""Writes the entries NAMES to the journal in a file, those that it lacks."""


def accept_posts(path: Path, say: Say) -> None:
    with AcceptedPosts.open(path, "networks") as journal:
        for name in NAMES:
            photo = HeldPhoto(name * 64, jpeg(int(name)).ljust(6000, b"\0"), {"colour": np.ones(3, np.float32)})
            try:
                journal.accept(Post(name, "ann", photo.hash, f"{name}.jpg", ("sea", name)), photo)
            except InputError as error:  # The service answers, and goes on.
                say(f"{REFUSAL}{error}")
            else:
                say(name)


def record_photos(path: Path, say: Say) -> None:
    with CrawledPhotos.open(path) as journal:
        journal.expect(NAMES)
        for name in journal.waiting():
            journal.record(name, OK, 1, picture=Photo(name, jpeg(int(name)), 64, 48))
            say(name)


def accepted(path: Path) -> Collection[str]:
    with AcceptedPosts.open(path, "networks") as journal:
        return [post.id for post in journal.posts() if journal.photo(post.photo)]


def recorded(path: Path) -> Collection[str]:
    with CrawledPhotos.open(path) as journal:
        return [name for name in NAMES if journal.has_picture(name)]


JOURNALS = {"accepted posts": (accept_posts, accepted), "a crawl": (record_photos, recorded)}
"""For each journal a function that writes to it, and one that lists what it holds."""
pytestmark = pytest.mark.skipif(find_sqlite() is None, reason="this Python hides the functions of its SQLite")


def write(writing: Writing, path: Path, say: Say) -> None:
    """Writes to a journal, as a command would: an error is said in one sentence."""
    try:
        writing(path, say)
    except (InputError, OSError) as error:
        say(f"{REFUSAL}{explain(error)}")
    except BaseException:
        say(traceback.format_exc())


def write_on_faulty_disk(writing: Writing, path: Path, fault: Fault, at: int) -> tuple[list[str], list[str]]:
    """Writes to a journal in a process of its own. Returns the changes that it began, and what it said."""
    changes, reads, said = files = [os.memfd_create(name) for name in ("changes", "reads", "said")]
    if (child := os.fork()) == 0:
        FaultyDisk(path.parent, fault, at, changes, reads).install()
        write(writing, path, lambda text: os.write(said, f"{text}\n".encode()))
        os._exit(0)
    os.waitpid(child, 0)
    texts = [os.pread(file, os.fstat(file).st_size, 0).decode().splitlines() for file in (changes, said)]
    for file in files:
        os.close(file)
    return texts[0], texts[1]


def strike(name: str, path: Path, fault: Fault, at: int) -> str | None:
    """Strikes once at a new journal. Returns what is wrong, "" for nothing; None if it ended before that change."""
    writing, read = JOURNALS[name]
    path.parent.mkdir()
    changes, said = write_on_faulty_disk(writing, path, fault, at)
    if len(changes) <= at:
        return None
    confirmed = [line for line in said if line in NAMES]
    refusals = [line for line in said if line not in NAMES]
    again, wrong = [], []
    kept = read(path)
    write(writing, path, again.append)
    if not set(confirmed) <= set(kept):
        wrong.append(f"it kept {kept} of {confirmed}")
    if not all(line.startswith(REFUSAL) for line in refusals):
        wrong.append("\n".join(refusals))
    if sorted(read(path)) != NAMES or set(again) - set(NAMES):
        wrong.append(f"the next run said {again}, and then there was {read(path)}")
    return "; ".join(f"{fault} {at}, {changes[at]}: {each}" for each in wrong)


@pytest.mark.parametrize("name", JOURNALS)
def test_some_writes_of_a_journal(tmp_path: Path, name):
    (tmp_path / "whole").mkdir()
    writing, _ = JOURNALS[name]
    changes, said = write_on_faulty_disk(writing, tmp_path / "whole" / FILE, "broken", NEVER)
    assert said == NAMES
    assert {f"{kind} {FILE}{file}" for kind, file in [("open", ""), ("write", "-wal"), ("remove", "-wal")]} <= {
        *changes
    }
    rng = random.Random(SEED)
    places = [(fault, at) for fault in get_args(Fault) for at in rng.sample(range(len(changes)), SAMPLE)]
    wrong = [strike(name, tmp_path / f"{fault}-{at}" / FILE, fault, at) for fault, at in places]
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", JOURNALS)
def test_every_write_of_a_journal(tmp_path: Path, name, capsys):
    wrong, struck = [], Counter()
    for fault in get_args(Fault):
        for at in count():
            if (found := strike(name, tmp_path / f"{fault}-{at}" / FILE, fault, at)) is None:
                break
            struck[fault] += 1
            wrong.append(found)
    with capsys.disabled():
        print(f"\n{', '.join(f'{fault} {number:,}' for fault, number in struck.items())} of {name}")  # noqa: T201
    assert not any(wrong), "\n".join(filter(None, wrong))
