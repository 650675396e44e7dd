"""A kill of the journal at any moment leaves old bytes or new ones, and undo gives the old ones back."""

import os
import signal
from functools import partial
from pathlib import Path

from pipeline.keywords import journal as module
from pipeline.keywords.journal import Journal
from tests.support.journal import NEW, OLD, names, write_both


def killed_at(call: int, work) -> bool:
    """Runs work in a process that is killed at its n-th call of the system. Returns False when it made fewer."""
    child = os.fork()
    if child == 0:
        calls = 0

        def counted(function):
            def run(*arguments, **options):
                nonlocal calls
                calls += 1
                if calls == call:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **options)

            return run

        for name in ("fsync", "utime"):
            setattr(module.os, name, counted(getattr(os, name)))
        for name in ("replace", "open", "unlink", "read_bytes"):
            setattr(Path, name, counted(getattr(Path, name)))
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_a_kill_at_any_moment_leaves_the_file_whole_and_undo_restores_it(tmp_path):
    for call in range(1, 30):
        folder = tmp_path / str(call)
        folder.mkdir()
        photo, sidecar = folder / "photo.jpg", folder / "photo.jpg.xmp"
        photo.write_bytes(OLD)
        killed = killed_at(call, partial(write_both, Journal(folder / "journal"), photo, sidecar))
        assert photo.read_bytes() in (OLD, NEW)
        assert not sidecar.exists() or sidecar.read_bytes() == NEW
        if (folder / "journal" / "000001.jsonl").exists():
            assert Journal(folder / "journal").undo().kept is None
        assert photo.read_bytes() == OLD
        assert names(folder) == {"photo.jpg"}
        if not killed:
            break
    assert call > 8


def test_a_kill_while_a_run_is_taken_back_loses_nothing(tmp_path):
    for call in range(1, 30):
        folder = tmp_path / str(call)
        folder.mkdir()
        photo, sidecar, journal = folder / "photo.jpg", folder / "photo.jpg.xmp", Journal(folder / "journal")
        photo.write_bytes(OLD)
        write_both(journal, photo, sidecar)
        killed = killed_at(call, journal.undo)
        if (folder / "journal" / "000001.jsonl").exists():
            assert journal.undo().kept is None
        assert photo.read_bytes() == OLD
        assert names(folder) == {"photo.jpg"}
        if not killed:
            break
    assert call > 8
