"""The journal of writes: undo gives the old bytes back."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.keywords import journal as module
from pipeline.keywords.journal import Journal, Write
from tests.support.journal import NEW, OLD, names

LONG_AGO = 1_000_000_000_123_456_789


@pytest.fixture
def journal(tmp_path) -> Journal:
    return Journal(tmp_path / "journal")


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "photo é.jpg"
    path.write_bytes(OLD)
    path.chmod(0o640)
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return path


@pytest.mark.parametrize("keep_time", [True, False])
def test_a_write_and_its_undoing(journal, photo, keep_time):
    with journal.run() as run:
        run.write(photo, OLD, NEW, keep_time)
    assert photo.read_bytes() == NEW
    assert (photo.stat().st_mtime_ns == LONG_AGO) is keep_time
    undone = journal.undo()
    assert (undone.restored, undone.changed, undone.runs) == (1, [], 0)
    assert photo.read_bytes() == OLD
    assert (photo.stat().st_mtime_ns, photo.stat().st_mode & 0o777) == (LONG_AGO, 0o640)


def test_a_write_that_the_disk_refuses_leaves_nothing_beside_the_photo(journal, photo, monkeypatch):
    monkeypatch.setattr(module.os, "fsync", refuse_photos)
    with pytest.raises(OSError, match="No space left"), journal.run() as run:
        run.write(photo, OLD, NEW)
    assert sorted(path.name for path in photo.parent.iterdir()) == ["journal", photo.name]
    assert photo.read_bytes() == OLD


def test_a_new_file_is_taken_away_again(journal, tmp_path):
    sidecar = tmp_path / "photo.jpg.xmp"
    with journal.run() as run:
        run.write(sidecar, None, NEW)
    assert sidecar.read_bytes() == NEW
    journal.undo()
    assert not sidecar.exists()


def test_runs_are_taken_back_from_the_last_to_the_first(journal, photo):
    for old, new in ((OLD, b"1"), (b"1", b"2"), (b"2", b"3")):
        with journal.run() as run:
            run.write(photo, old, new)
    for runs, expected in ((2, b"2"), (1, b"1"), (0, OLD)):
        assert journal.undo().runs == runs
        assert photo.read_bytes() == expected
    with pytest.raises(InputError, match="no write to take back"):
        journal.undo()


def test_a_file_written_twice_in_a_run_gets_its_first_bytes_back(journal, photo):
    with journal.run() as run:
        run.write(photo, OLD, NEW)
        run.write(photo, NEW, b"third")
    assert journal.undo().restored == 1
    assert photo.read_bytes() == OLD


def test_a_file_that_changed_since_stays_and_the_others_are_restored(journal, photo, tmp_path):
    edited, pipe = tmp_path / "edited.xmp", tmp_path / "pipe.jpg"
    pipe.write_bytes(OLD)
    with journal.run() as run:
        run.write(photo, OLD, NEW)
        run.write(edited, None, NEW)
        run.write(pipe, OLD, NEW)
    edited.write_bytes(b"rated by hand")
    pipe.unlink()
    os.mkfifo(pipe)
    undone = journal.undo()
    assert (undone.restored, undone.changed, undone.missing) == (1, [edited, pipe], [])
    assert (photo.read_bytes(), edited.read_bytes()) == (OLD, b"rated by hand")


def test_an_error_names_the_file_that_is_to_be_restored(journal, photo):
    with journal.run() as run:
        run.write(photo, OLD, NEW)
    module._temporary(photo).mkdir()
    with pytest.raises(OSError, match="Is a directory") as error:
        journal.undo()
    assert error.value.filename == str(photo)


def test_a_run_without_writes_leaves_no_trace(journal, photo):
    with journal.run() as run:
        run.write(photo, OLD, NEW)
    with journal.run():
        pass
    assert journal.undo().restored == 1


def refuse_photos(number: int) -> None:
    if Path(f"/proc/self/fd/{number}").readlink().suffix != ".jsonl":
        raise OSError(28, "No space left on device")


def refuse_all(_: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("refuse", [refuse_photos, refuse_all])
def test_a_run_whose_writes_all_failed_hides_no_earlier_one(journal, photo, monkeypatch, refuse):
    with journal.run() as run:
        run.write(photo, OLD, NEW)
    with monkeypatch.context() as full:
        full.setattr(module.os, "fsync", refuse)
        with pytest.raises(OSError, match="No space left"), journal.run() as run:
            run.write(photo, NEW, b"third")
    assert names(run.path.parent) == {"000001.jsonl", "lock"}
    assert (journal.undo().restored, photo.read_bytes()) == (1, OLD)


def test_a_write_that_failed_is_no_part_of_its_run(journal, photo, tmp_path):
    with journal.run() as run:
        run.write(photo, OLD, NEW)
        with pytest.raises(FileNotFoundError):
            run.write(tmp_path / "no folder" / "photo.jpg.xmp", None, NEW)
        run.write(tmp_path / "photo.jpg.xmp", None, NEW)
    assert len(run.path.read_bytes().splitlines()) == 2
    assert journal.undo().restored == 2
    assert names(tmp_path) == {photo.name}


def test_a_write_that_was_made_is_noted_although_an_error_is_reported(journal, photo, monkeypatch):
    """A rename over a network can fail after it was made."""
    replace = Path.replace

    def fail_late(path: Path, target: Path) -> None:
        replace(path, target)
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as network:
        network.setattr(Path, "replace", fail_late)
        with pytest.raises(OSError, match="Input/output"), journal.run() as run:
            run.write(photo, OLD, NEW)
    assert (journal.undo().restored, photo.read_bytes()) == (1, OLD)


@pytest.mark.parametrize("content", [b"", b"0123 {"])
def test_a_run_without_a_whole_line_is_passed_over(journal, photo, content):
    with journal.run() as run:
        run.write(photo, OLD, NEW)
    run.path.with_name("000002.jsonl").write_bytes(content)
    undone = journal.undo()
    assert (undone.restored, undone.runs, photo.read_bytes()) == (1, 0, OLD)


def test_an_empty_run_is_not_counted(journal, photo):
    with journal.run() as run:
        run.write(photo, OLD, NEW)
    run.path.rename(run.path.with_name("000002.jsonl"))
    run.path.touch()
    assert journal.undo().runs == 0
    with pytest.raises(InputError, match="no write to take back"):
        journal.undo()


def test_a_link_stays_a_link(journal, photo, tmp_path):
    link = tmp_path / "link.jpg"
    link.symlink_to(photo)
    with journal.run() as run:
        run.write(link, OLD, NEW)
    assert link.is_symlink()
    assert photo.read_bytes() == NEW
    journal.undo()
    assert photo.read_bytes() == OLD


def test_a_link_in_place_of_the_temporary_file_is_not_written_through(journal, photo, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    module._temporary(photo).symlink_to(precious)
    with journal.run() as run:
        run.write(photo, OLD, NEW)
    assert precious.read_text() == "precious"
    assert (photo.read_bytes(), photo.is_symlink()) == (NEW, False)


def test_only_one_run_at_a_time(journal):
    with journal.run(), pytest.raises(InputError, match="wait until it ends"):
        journal.undo()


def test_a_journal_line_cut_short_is_no_write(journal, photo, tmp_path):
    with journal.run() as run:
        run.write(photo, OLD, NEW)
    (file,) = (tmp_path / "journal").glob("*.jsonl")
    with file.open("a") as stream:
        stream.write(file.read_text()[:40])
    assert journal.undo().restored == 1


@pytest.mark.parametrize("line", [b'{"path": 1}', b"\xff"])
def test_a_damaged_line_keeps_no_other_from_being_taken_back(journal, photo, tmp_path, line):
    with journal.run() as run:
        run.write(photo, OLD, NEW)
    (file,) = (tmp_path / "journal").glob("*.jsonl")
    file.write_bytes(line + b"\n" + file.read_bytes())
    with pytest.raises(InputError, match=r"Line 1 of .* is damaged"):
        journal.undo()
    assert photo.read_bytes() == OLD
    with pytest.raises(InputError, match="no write to take back"):
        journal.undo()


def test_no_damaged_run_takes_the_place_of_another(journal, tmp_path):
    for content in (b"first\n", b"second\n", b"third\n"):
        (tmp_path / "journal").mkdir(exist_ok=True)
        (tmp_path / "journal" / "000001.jsonl").write_bytes(content)
        with pytest.raises(InputError, match="is damaged"):
            journal.undo()
    kept = sorted(path.read_bytes() for path in (tmp_path / "journal").glob("*damaged"))
    assert kept == [b"first\n", b"second\n", b"third\n"]


def test_files_that_are_not_named_as_runs_are_left_alone(journal, photo, tmp_path):
    others = ["notes.jsonl", "000001 (copy).jsonl", "9.jsonl", ".000001.jsonl", "٠٠٠٠٠٩.jsonl"]
    (tmp_path / "journal").mkdir()
    for name in others:
        (tmp_path / "journal" / name).write_text("mine")
    with journal.run() as run:
        run.write(photo, OLD, NEW)
    assert journal.undo().restored == 1
    assert names(tmp_path / "journal") == {*others, "lock"}
    assert photo.read_bytes() == OLD


def test_runs_are_in_the_order_of_their_numbers(journal, photo, tmp_path):
    with journal.run() as run:
        run.write(photo, OLD, b"1")
    (tmp_path / "journal" / "000001.jsonl").rename(tmp_path / "journal" / "999999.jsonl")
    with journal.run() as run:
        run.write(photo, b"1", NEW)
    assert (journal.undo().runs, photo.read_bytes()) == (1, b"1")
    assert (journal.undo().runs, photo.read_bytes()) == (0, OLD)


def test_a_flipped_bit_in_the_journal_gives_no_other_bytes(journal, photo, tmp_path):
    with journal.run() as run:
        run.write(photo, OLD, NEW)
    (file,) = (tmp_path / "journal").glob("*.jsonl")
    whole = file.read_bytes()
    for bit in range(0, 8 * len(whole), 63):  # Bits of all places in a byte.
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        photo.write_bytes(NEW)
        with suppress(InputError):
            assert journal.undo().restored == 1
            assert photo.read_bytes() == OLD
        assert photo.read_bytes() in (OLD, NEW)


def test_only_the_end_of_a_line_is_damaged(journal, photo, tmp_path):
    with journal.run() as run:
        run.write(photo, OLD, NEW)
    (file,) = (tmp_path / "journal").glob("*.jsonl")
    file.write_bytes(file.read_bytes()[:-1] + b"\x0b")
    assert journal.undo().restored == 1
    assert photo.read_bytes() == OLD


def test_a_file_that_cannot_be_restored_now_is_restored_later_and_the_others_at_once(
    journal, photo, tmp_path, monkeypatch
):
    other = tmp_path / "other.jpg"
    other.write_bytes(OLD)
    with journal.run() as run:
        run.write(other, OLD, NEW)
        run.write(photo, OLD, NEW)
    replace = module._replace

    def refuse(path: Path, *arguments: object) -> None:
        if path == photo.resolve():
            raise PermissionError(13, "Permission denied", str(path))
        replace(path, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(module, "_replace", refuse)
        with pytest.raises(PermissionError):
            journal.undo()
    assert other.read_bytes() == OLD
    assert journal.undo().restored == 1
    assert photo.read_bytes() == OLD


@given(st.binary(), st.binary(), st.binary(), st.binary(), st.binary())
def test_any_change_can_be_undone_from_the_new_bytes(head, old, new, tail, other):
    path = Path(__file__)
    before, after = head + old + tail, head + new + tail + other
    write = Write.between(path, before, after)
    assert write.undone(after) == before


def test_the_journal_of_a_large_photo_is_small():
    old, new = os.urandom(50_000), os.urandom(100)
    write = Write.between(Path(__file__), old, old[:700] + new + old[720:])
    assert len(write.taken) < 50
