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
"""Unwanted rows between two wanted ones that are read along, at most: few long reads are faster than many short."""


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
    """Has the system read some rows of a mapped matrix before they are needed."""
    _advise(matrix, rows, mmap.MADV_WILLNEED)


def release(matrix: np.memmap, rows: np.ndarray) -> None:
    """Frees the memory of rows of a mapped matrix that are no longer needed."""
    _advise(matrix, rows, mmap.MADV_DONTNEED)


def _advise(matrix: np.memmap, rows: np.ndarray, advice: int) -> None:
    rows = np.unique(rows)
    stride = matrix.strides[0]
    for run in np.split(rows, np.flatnonzero(np.diff(rows) > MAX_GAP) + 1):
        low = int(run[0]) * stride // mmap.PAGESIZE * mmap.PAGESIZE
        matrix.base.madvise(advice, low, (int(run[-1]) + 1) * stride - low)
