"""Files that are written: as open to others as any, and a refusal of the system that names them."""

import errno
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors import safe_open

from pipeline.errors import InputError
from pipeline.files import write_json, write_parquet, write_safetensors

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


WRITERS = {
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


def test_more_text_than_safetensors_holds_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"file cannot be written: .*header too large"):
        write_safetensors({}, {"notes": "x" * 100_000_001}, tmp_path / "file")
    assert not list(tmp_path.iterdir())
