"""Rows in mapped files: as they were written, found when damaged, and out of memory when they are released."""

import mmap
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ArtifactError
from pipeline.files.matrices import map_matrix, read_ahead, release, write_matrix

NUMBERS = np.random.default_rng(0).standard_normal((5000, 300), dtype=np.float32)


@pytest.fixture
def file(tmp_path) -> Path:
    write_matrix(np.array_split(NUMBERS, 7), 300, tmp_path / "rows")
    return tmp_path / "rows"


def resident(file: Path) -> int:
    """The bytes of a file that are mapped into this process's memory."""
    found, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(maxsplit=1)[0]:
            inside = line.endswith(str(file))
        elif inside and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found


def test_rows_are_mapped_as_they_were_written(file):
    mapped = map_matrix(file)
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, NUMBERS)


def test_no_rows_are_no_error(tmp_path):
    write_matrix([], 3, tmp_path / "rows")
    assert map_matrix(tmp_path / "rows").shape == (0, 3)


def test_a_missing_or_damaged_file_is_found(file, tmp_path):
    with pytest.raises(ArtifactError, match="none does not exist"):
        map_matrix(tmp_path / "none")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(ArtifactError, match="rows is damaged"):
        map_matrix(file)


def test_released_rows_leave_memory_and_can_be_read_again(file):
    mapped, chosen = map_matrix(file), np.array([4000, 4999, 4200, 4100, 0])
    read_ahead(mapped, chosen)
    np.testing.assert_array_equal(mapped[chosen], NUMBERS[chosen])
    mapped.sum()
    whole = resident(file)
    release(mapped, np.r_[3000:5000, 1000:3000])
    assert whole >= NUMBERS.nbytes
    assert resident(file) <= 1000 * 1200 + mmap.PAGESIZE
    np.testing.assert_array_equal(mapped, NUMBERS)
