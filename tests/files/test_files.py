"""Files and folders that are written: whole or not at all, as open to others as any; a refusal names them."""

import errno
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import TypeAdapter
from safetensors import safe_open

from pipeline.errors import ArtifactError, InputError
from pipeline.files.atomic import atomic_folder, replace_folder
from pipeline.files.parquet import read_parquet, write_parquet
from pipeline.files.tensors import read_tensors, write_safetensors, write_tensors
from pipeline.files.texts import read_csv, read_json, read_json_of, write_json

NUMBERS = np.random.default_rng(0).normal(size=50_000)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system with room for 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False).returncode
    ):
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_what_is_no_ordinary_file_is_not_replaced(tmp_path):
    """A device such as /dev/null, which root may replace: a rename asks nobody."""
    os.mkfifo(tmp_path / "device")
    with pytest.raises(InputError, match=r"device is not an ordinary file, and stays as it is\."):
        write_json({}, tmp_path / "device")
    assert (tmp_path / "device").is_fifo()


WRITERS = {
    "tensors": lambda path: write_tensors({"numbers": NUMBERS}, ["é"], path),
    "safetensors": lambda path: write_safetensors({"numbers": NUMBERS}, {}, path),
    "parquet": lambda path: write_parquet(pl.DataFrame({"numbers": NUMBERS}), path),
    "json": lambda path: write_json(NUMBERS.tolist(), path),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_is_an_error_of_the_system_that_names_the_file(small_disk, kind):
    with pytest.raises(OSError, match="No space left") as raised:
        WRITERS[kind](small_disk / "file")
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(small_disk / "file"))
    assert not list(small_disk.iterdir())


def test_safetensors_hold_arrays_and_texts(tmp_path):
    write_safetensors({"numbers": NUMBERS}, {"notes": json.dumps(["é"])}, tmp_path / "file")
    with safe_open(tmp_path / "file", "numpy") as file:
        np.testing.assert_array_equal(file.get_tensor("numbers"), NUMBERS)
        assert json.loads(file.metadata()["notes"]) == ["é"]


@pytest.mark.parametrize("kind", WRITERS)
def test_others_may_read_what_is_written_as_the_umask_says(tmp_path, kind):
    before = os.umask(0o027)
    try:
        WRITERS[kind](tmp_path / "file")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_arrays_are_read_with_their_notes(tmp_path):
    write_tensors({"numbers": NUMBERS}, {"names": ["é"]}, tmp_path / "file")
    arrays, notes = read_tensors(tmp_path / "file")
    assert (list(arrays), notes) == (["numbers"], {"names": ["é"]})
    np.testing.assert_array_equal(arrays["numbers"], NUMBERS)


@pytest.mark.slow
def test_notes_may_exceed_the_header_of_safetensors(tmp_path):
    names = [f"photo {number:09}.jpg" for number in range(5_500_000)]
    write_tensors({}, names, tmp_path / "file")
    assert read_tensors(tmp_path / "file")[1] == names


def test_more_text_than_safetensors_holds_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"file cannot be written: .*header too large"):
        write_safetensors({}, {"notes": "x" * 100_000_001}, tmp_path / "file")
    assert not list(tmp_path.iterdir())


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def folder_of(path: Path, **texts: str) -> Path:
    path.mkdir(parents=True)
    for name, text in texts.items():
        (path / name).write_text(text)
    return path


def test_an_earlier_folder_is_replaced_as_a_whole(tmp_path):
    path = folder_of(tmp_path / "folder", old="old")
    with atomic_folder(path) as temporary:
        (temporary / "new").write_text("new")
        assert contents(path) == {"old": "old"}
    assert contents(path) == {"new": "new"}
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_earlier_folder(tmp_path):
    path = folder_of(tmp_path / "folder", old="old")
    with pytest.raises(RuntimeError), atomic_folder(path) as temporary:
        (temporary / "new").write_text("half")
        raise RuntimeError
    assert contents(path) == {"old": "old"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def two_file_systems(monkeypatch):
    """No folder can be renamed from one parent to another."""
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.parent != Path(target).parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)


def test_a_folder_moves_from_another_file_system(tmp_path, small_disk):
    path = folder_of(tmp_path / "place" / "folder", old="old")
    replace_folder(folder_of(small_disk / "new", new="new"), path)
    assert contents(path) == {"new": "new"}
    assert list(path.parent.iterdir()) == [path]
    assert not list(small_disk.iterdir())


@pytest.mark.parametrize("systems", [1, 2])
@pytest.mark.parametrize("old", [{}, {"old": "old"}])
@pytest.mark.parametrize("moment", range(8))
def test_a_kill_at_any_moment_leaves_one_folder_whole(tmp_path, monkeypatch, request, systems, old, moment):
    """The process ends before the n-th change of the file system; what it had made stays for the next one."""
    if systems == 2:
        request.getfixturevalue("two_file_systems")
    path, new = tmp_path / "place" / "folder", folder_of(tmp_path / "new", new="new")
    if old:
        folder_of(path, **old)
    changes = iter(range(100))

    def interrupted(change):
        def run(*arguments, **options):
            if next(changes) == moment:
                raise KeyboardInterrupt
            return change(*arguments, **options)

        return run

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", interrupted(Path.rename))
        patched.setattr("shutil.copytree", interrupted(shutil.copytree))
        patched.setattr("shutil.rmtree", interrupted(shutil.rmtree))
        try:
            replace_folder(new, path)
        except KeyboardInterrupt:
            left = [file.read_text() for file in tmp_path.rglob("*") if file.is_file()]
            assert "new" in left
            assert not old or "old" in left or contents(path) == {"new": "new"}
    if new.exists():
        replace_folder(new, path)
    assert contents(path) == {"new": "new"}
    assert list(path.parent.iterdir()) == [path] or not new.exists()


def test_a_write_deletes_the_temporary_files_of_killed_processes(tmp_path):
    killed, alive = subprocess.Popen(["true"]), subprocess.Popen(["sleep", "60"])
    killed.wait()
    left, others = (tmp_path / f".b.json.{process.pid}.tmp" for process in (killed, alive))
    kept = [others, tmp_path / ".notes.tmp"]
    for path in (left, *kept):
        path.write_text("half")
    try:
        write_json(1, tmp_path / "a.json")
    finally:
        alive.kill()
        alive.wait()
    assert sorted(tmp_path.iterdir()) == sorted([*kept, tmp_path / "a.json"])


def test_an_error_in_a_folder_names_the_final_path_of_the_file(tmp_path):
    with pytest.raises(OSError) as raised, atomic_folder(tmp_path / "report") as folder:
        write_json(1, folder / "assets" / "x.json")
        (folder / "assets").rename(folder / "else")
        (folder / "assets" / "y.svg").write_text("")
    assert raised.value.filename == str(tmp_path / "report" / "assets" / "y.svg")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file that nobody may delete")
def test_a_folder_that_cannot_be_deleted_is_named_with_the_reason(tmp_path):
    stuck = folder_of(tmp_path / ".bundle.tmp", model="half")
    subprocess.run(["mount", "--bind", stuck, stuck], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", stuck], check=True)
    try:
        with pytest.raises(OSError, match="Read-only file system") as raised, atomic_folder(tmp_path / "bundle"):
            pass
    finally:
        subprocess.run(["umount", stuck], check=True)
    assert raised.value.filename == str(tmp_path / "bundle")


@pytest.mark.parametrize("damage", ["pages", "cut short", "a folder", "missing"])
def test_a_damaged_parquet_file_is_an_artifact_error_that_names_it(tmp_path, damage):
    path = tmp_path / "train.parquet"
    write_parquet(pl.DataFrame({"numbers": NUMBERS}), path)
    whole = path.read_bytes()
    match damage:
        case "pages":  # The footer is whole: only reading the data finds it.
            path.write_bytes(whole[:4] + bytes(255 - byte for byte in whole[4:-4000]) + whole[-4000:])
        case "cut short":
            path.write_bytes(whole[:-20])
        case "a folder":
            path.unlink()
            path.mkdir()
        case "missing":
            path.unlink()
    with pytest.raises(ArtifactError, match=re.escape(str(path))):
        read_parquet(path)


def test_a_folder_that_does_not_fit_on_another_file_system_leaves_nothing_there(tmp_path, small_disk):
    new = tmp_path / "new"
    new.mkdir()
    (new / "0.bin").write_bytes(b"x" * 200_000)
    with pytest.raises(OSError, match=r"0\.bin") as refused:
        replace_folder(new, small_disk / "photos")
    assert refused.value.errno == errno.ENOSPC
    assert list(small_disk.iterdir()) == []
    assert (new / "0.bin").stat().st_size == 200_000


@pytest.mark.parametrize("copy", [shutil.copyfile, shutil.copytree])
def test_a_copy_that_does_not_fit_names_the_file_that_is_written(tmp_path, small_disk, copy):
    source = tmp_path / "source" / "0.bin"
    source.parent.mkdir()
    source.write_bytes(b"x" * 200_000)
    source, name = (source, "0.bin") if copy is shutil.copyfile else (source.parent, "weights")
    with pytest.raises(OSError, match="No space left") as refused, atomic_folder(small_disk / "bundle") as folder:
        copy(source, folder / name)
    full = small_disk / "bundle" / (name if copy is shutil.copyfile else "weights/0.bin")
    assert (refused.value.errno, refused.value.filename) == (errno.ENOSPC, str(full))
    assert list(small_disk.iterdir()) == []


def test_json_that_is_nested_without_end_is_damaged(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ArtifactError, match=r"deep\.json is not JSON"):
        read_json(tmp_path / "deep.json")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, r"table\.csv does not exist\."),
        ("", r"table\.csv is not a table \("),
        ("k,f1\n1,0.5,3\n", r"table\.csv is not a table \("),
        ("k,map\n1,0.5\n", r"table\.csv has no column 'f1'; it has k, map\."),
        ("k,f1\n1,0.5\n2,half\n", r"table\.csv has text in the column 'f1', which must hold numbers\."),
    ],
)
def test_a_csv_file_that_is_damaged_is_named(tmp_path, text, fault):
    path = tmp_path / "table.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ArtifactError, match=fault):
        read_csv(path, ["k", "f1"], ["f1"])


def test_a_column_of_numbers_may_begin_with_empty_fields_or_have_nothing_else(tmp_path):
    (tmp_path / "table.csv").write_text("k,f1\n" + "1,\n" * 200 + "2,0.5\n")
    assert read_csv(tmp_path / "table.csv", ["k", "f1"], ["f1"])["f1"].drop_nulls().to_list() == [0.5]
    (tmp_path / "table.csv").write_text("k,f1\n1,\n")
    assert len(read_csv(tmp_path / "table.csv", ["k", "f1"], ["f1"])) == 1


def test_json_of_another_form_is_damaged_and_other_values_stay_as_they_are(tmp_path):
    form, path = TypeAdapter(dict[str, float]), tmp_path / "values.json"
    write_json({"a": 1, "b": 0.5}, path)
    assert str(read_json_of(form, path)) == "{'a': 1, 'b': 0.5}"
    write_json({"a": [], "b": 0.5}, path)
    with pytest.raises(ArtifactError, match=r"values\.json is of another form \(a: Input should be a valid number\)"):
        read_json_of(form, path)
