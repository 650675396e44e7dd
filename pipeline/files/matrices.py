"""Matrices larger than memory: rows of float32 in a sealed, memory-mapped file.

The file is a header with the seal and the shape, followed by the rows.
"""

import json
import mmap
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline.errors import ArtifactError
from pipeline.files.atomic import atomic
from pipeline.files.seal import SEAL, UNSEALED, check_seal, seal

HEADER = 1 << 16
"""Bytes before the first row: whole pages on any machine."""
MAX_GAP = 64
"""Unwanted rows that are read between two wanted ones, at most: a few long reads beat many short ones."""


def write_matrix(blocks: Iterable[np.ndarray], columns: int, path: Path) -> None:
    """Writes the rows of blocks (rows, columns), which need not fit into memory together, for `map_matrix`."""
    with atomic(path) as temporary:
        with temporary.open("wb") as file:
            file.seek(HEADER)
            rows = 0
            for block in blocks:
                file.write(np.ascontiguousarray(block, "<f4"))
                rows += len(block)
            file.seek(0)
            file.write(json.dumps({SEAL: UNSEALED, "shape": [rows, columns]}).encode().ljust(HEADER))
        seal(temporary)


def map_matrix(path: Path) -> np.memmap:
    """Maps a matrix (rows, columns) into memory. Raises ArtifactError when the file is missing or damaged."""
    try:
        check_seal(path)
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist.") from None
    shape = json.loads(header(path))["shape"]
    # Copy on write, though nobody writes: torch warns of arrays that are read-only.
    return np.memmap(path, "<f4", "c", HEADER, tuple(shape))


def header(path: Path) -> bytes:
    """Reads the header of a matrix, whose seal identifies the whole file."""
    with path.open("rb") as file:
        return file.read(HEADER)


def read_ahead(matrix: np.memmap, rows: np.ndarray) -> None:
    """Has the system read some rows of a mapped matrix before they are needed; ascending ones cost the fewest calls."""
    _advise(matrix, rows, mmap.MADV_WILLNEED)


def release(matrix: np.memmap, rows: np.ndarray) -> None:
    """Frees the memory of rows of a mapped matrix that are no longer needed."""
    _advise(matrix, rows, mmap.MADV_DONTNEED)


def _advise(matrix: np.memmap, rows: np.ndarray, advice: int) -> None:
    # Runs of rows that ascend without a wide gap, each as the whole pages that it begins in and ends with.
    steps = np.diff(rows)
    last = np.append((steps < 0) | (steps > MAX_GAP), True)
    low = rows[np.roll(last, 1)] * matrix.strides[0] // mmap.PAGESIZE * mmap.PAGESIZE
    high = (rows[last] + 1) * matrix.strides[0]
    for start, size in zip(low.tolist(), (high - low).tolist(), strict=True):
        matrix.base.madvise(advice, start, size)
