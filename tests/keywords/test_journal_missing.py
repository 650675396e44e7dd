"""Files that are missing when a run is taken back: it stays until they are there again."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.keywords.journal import Journal
from tests.support.journal import NEW, OLD, names, write_both


@pytest.fixture
def journal(tmp_path) -> Journal:
    return Journal(tmp_path / "journal")


def move_photo(folder: Path) -> Callable[[], object]:
    away = (folder / "photo.jpg").rename(folder.with_name("away.jpg"))
    return partial(away.rename, folder / "photo.jpg")


def move_all(folder: Path) -> Callable[[], object]:
    away = folder.rename(folder.with_name("away"))
    return partial(away.rename, folder)


def unmount(folder: Path) -> Callable[[], object]:
    """An empty folder stays where the disk was."""
    away = folder.rename(folder.with_name("away"))
    folder.mkdir()
    return partial(away.replace, folder)


def replace_folder(folder: Path) -> Callable[[], object]:
    back = move_all(folder)
    folder.touch()

    def put_back() -> None:
        folder.unlink()
        back()

    return put_back


def write_two(journal: Journal, folder: Path) -> None:
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(OLD)
    write_both(journal, folder / "photo.jpg", folder / "photo.jpg.xmp")


@pytest.mark.parametrize("take_away", [move_photo, move_all, unmount, replace_folder])
def test_missing_files_keep_the_run_until_they_are_back(journal, tmp_path, take_away):
    folder = tmp_path / "photos"
    write_two(journal, folder)
    put_back = take_away(folder)
    undone = journal.undo()
    photo, sidecar = folder / "photo.jpg", folder / "photo.jpg.xmp"
    assert undone.missing == [photo] if take_away is move_photo else [photo, sidecar]
    assert (undone.changed, undone.kept) == ([], tmp_path / "journal" / "000001.jsonl")
    put_back()
    undone = journal.undo()
    assert (undone.changed, undone.missing, undone.kept) == ([], [], None)
    assert names(folder) == {"photo.jpg"}
    assert photo.read_bytes() == OLD


def test_missing_files_hide_no_others_and_can_be_given_up(journal, tmp_path):
    photo, gone = tmp_path / "photo.jpg", tmp_path / "gone.jpg"
    for path in (photo, gone):
        path.write_bytes(OLD)
    with journal.run() as run:
        run.write(photo, OLD, b"1")
    with journal.run() as run:
        run.write(photo, b"1", NEW)
        run.write(gone, OLD, NEW)
    gone.unlink()
    for restored in (1, 0):
        undone = journal.undo()
        assert (undone.restored, undone.missing, undone.runs) == (restored, [gone], 1)
        assert photo.read_bytes() == b"1"
    undone.kept.unlink()
    assert (journal.undo().kept, photo.read_bytes()) == (None, OLD)


def test_a_sidecar_that_somebody_deleted_is_not_missing(journal, tmp_path):
    write_two(journal, tmp_path / "photos")
    (tmp_path / "photos" / "photo.jpg.xmp").unlink()
    undone = journal.undo()
    assert (undone.restored, undone.missing, undone.kept) == (1, [], None)


def test_a_damaged_run_with_missing_files_stays_too(journal, tmp_path):
    write_two(journal, tmp_path / "photos")
    (file,) = (tmp_path / "journal").glob("*.jsonl")
    file.write_bytes(b"damaged\n" + file.read_bytes())
    put_back = move_all(tmp_path / "photos")
    assert journal.undo().kept == file
    put_back()
    with pytest.raises(InputError, match=r"Line 1 of .* is damaged"):
        journal.undo()
    assert names(tmp_path / "photos") == {"photo.jpg"}
