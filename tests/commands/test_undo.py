"""`tagrec undo` and files that are missing: it names them, and restores them when they are back."""

from pathlib import Path

from typer.testing import CliRunner

from commands import undo
from pipeline.keywords.journal import Journal
from project.paths import KEYWORDS
from tests.support.journal import OLD, write_both


def test_a_missing_folder_is_named_and_its_files_are_restored_later(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, photo = Path("photos"), Path("photos/photo.jpg")
    folder.mkdir()
    photo.write_bytes(OLD)
    write_both(Journal(KEYWORDS), photo, Path("photos/photo.jpg.xmp"))
    away = folder.rename("away")
    folder.touch()
    done = CliRunner().invoke(undo.app)
    assert done.exit_code == 1
    assert f"{photo.absolute()} is missing." in done.stderr
    assert "again once the missing files are back, or delete .work/keywords/000001.jsonl to give them up" in done.stderr
    assert done.stdout == "undo: 0 files restored, 2 missing; 0 earlier runs can be taken back\n"
    folder.unlink()
    away.rename(folder)
    assert CliRunner().invoke(undo.app).stdout == "undo: 2 files restored; 0 earlier runs can be taken back\n"
    assert [path.name for path in folder.iterdir()] == [photo.name]
    assert photo.read_bytes() == OLD
