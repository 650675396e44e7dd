"""A rollback journal that someone put next to an SQLite file: SQLite deletes no file that it names."""

import os
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing

import pytest

from pipeline.errors import InputError
from pipeline.files.rows import check_rollback
from pipeline.recommend.service import journal
from pipeline.sources.flickr import journal as crawl
from pipeline.sources.folder import readings

MAGIC = bytes.fromhex("d9d505f920a163d7")
PAGE = 4096


def plant(path, victim) -> None:
    """Makes a file that is not in WAL mode, and next to it a rollback journal that names a victim."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    name = os.fsencode(victim)
    head = MAGIC + struct.pack(">IIIII", 0, 1, path.stat().st_size // PAGE, 512, PAGE)
    tail = struct.pack(">I", 0x40000000 // PAGE + 1) + name + struct.pack(">II", len(name), sum(name)) + MAGIC
    log_of(path).write_bytes(head.ljust(512, b"\0") + tail)


def log_of(path):
    return path.with_name(f"{path.name}-journal")


def open_accepted(folder, victim):
    plant(folder / "j.sqlite", victim)
    (folder / "link.sqlite").symlink_to(folder / "j.sqlite")
    with journal.Journal.open(folder / "link.sqlite"):
        pass


def open_crawl(folder, victim):
    plant(folder / "j.sqlite", victim)
    with crawl.Journal.open(folder / "j.sqlite"):
        pass


def open_readings(folder, victim):
    readings._open(folder, positions=False).close()
    (path,) = folder.glob("keywords-*.sqlite")
    plant(path, victim)
    readings._open(folder, positions=False)


@pytest.mark.parametrize("opening", [open_accepted, open_crawl, open_readings])
def test_no_file_that_a_rollback_journal_names_is_deleted(tmp_path, opening):
    victim, folder = tmp_path / "thesis.txt", tmp_path / "folder"
    victim.write_text("years of work")
    folder.mkdir()
    with pytest.raises(InputError, match=r"cannot be opened safely: \S+-journal next to it may name any file"):
        opening(folder, victim)
    assert victim.read_text() == "years of work"


def test_sqlite_would_delete_it(tmp_path):
    victim, path = tmp_path / "thesis.txt", tmp_path / "j.sqlite"
    victim.write_text("years of work")
    plant(path, victim)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT * FROM t")
    assert not victim.exists()


def test_what_is_no_file_is_refused_at_once(tmp_path):
    path = tmp_path / "j.sqlite"
    for make in (os.mkfifo, os.mkdir, lambda log: log.symlink_to(tmp_path / "absent")):
        make(log_of(path))
        with pytest.raises(InputError, match="Move that one away"):
            check_rollback(path)
        log_of(path).rename(tmp_path / make.__name__)


@pytest.mark.parametrize("content", [b"", b"\0", MAGIC[1:], bytes(PAGE)])
def test_a_rollback_journal_of_one_file_is_left_to_sqlite(tmp_path, content):
    log_of(tmp_path / "j.sqlite").write_bytes(content)
    with journal.Journal.open(tmp_path / "j.sqlite") as opened:
        assert not opened.posts()


KILLED = """
import os, sqlite3, sys
with sqlite3.connect(sys.argv[1], isolation_level=None) as connection:
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("PRAGMA cache_spill = 1")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("INSERT INTO t WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n LIMIT 9) "
                       "SELECT zeroblob(10000) FROM n")
    os.kill(os.getpid(), 9)
"""


def test_a_new_journal_whose_first_commit_was_killed_opens(tmp_path):
    path = tmp_path / "j.sqlite"
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert log_of(path).stat().st_size
    with journal.Journal.open(path) as opened:
        assert not opened.posts()
