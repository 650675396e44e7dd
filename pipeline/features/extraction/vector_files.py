"""Finished vectors on disk, by the key of their photo: what a run that was interrupted, or another recipe, finds ready.

A part is a parquet file of jpeg_sha256 (str) and vector (fixed_size_list<float32>), in a folder of its extractor.
"""

import hashlib
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.data.schema import VECTOR
from pipeline.errors import InputError, one_line
from pipeline.features.record import vector_table
from pipeline.files import write_parquet

log = logging.getLogger(__name__)

PHOTO_HASH = "jpeg_sha256"
"""The column of the hashes of photos (str)."""

SECONDS = 5.0
"""Work that kill -9 loses at most, and a batch. A part for each batch would be 17,000 files for NUS-WIDE."""


class VectorFiles:
    """The parts in a folder, all vectors of length `dimension`."""

    def __init__(self, folder: Path, dimension: int):
        self._folder, self._dimension = folder, dimension
        self._keys: list[str] = []
        self._vectors: list[np.ndarray] = []
        self._written = -math.inf  # The first part is written at once: a disk that takes none is found early.

    def keys(self) -> set[str]:
        """The keys of what is finished. A broken file is deleted, so that its photos are computed again.

        So is what killed runs left half-written. Raises OSError when the system does not let a file be read.
        """
        self._sweep()
        return {key for keys, _ in self._read() for key in keys}

    def add(self, keys: Sequence[str], vectors: np.ndarray) -> None:
        """Takes finished vectors, float32 (len(keys), dimension); writes a part when the last is `SECONDS` old."""
        self._keys.extend(keys)
        self._vectors.append(vectors)
        if time.monotonic() - self._written >= SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes what was added since the last part. Raises InputError when the disk does not take it."""
        if self._keys:
            name = hashlib.sha256("".join(self._keys).encode()).hexdigest()[:16]
            part = vector_table(PHOTO_HASH, self._keys, np.concatenate(self._vectors))
            try:
                write_parquet(part, self._folder / f"{name}.parquet")
            except OSError as error:
                raise InputError(
                    f"{self._folder} takes no more vectors ({error.strerror or error}): free space there and run "
                    "again; what was kept before is not lost."
                ) from error
            self._keys, self._vectors = [], []
        self._written = time.monotonic()

    def gather(self, rows: Mapping[str, int], into: np.ndarray) -> None:
        """Copies the vectors of some keys, each to its own row of a matrix, one part after another.

        Raises InputError when some are gone: a part was broken or deleted since `keys` found them.
        """
        filled = np.zeros(len(into), bool)  # A mask, no count: two runs at once may keep a photo twice.
        for keys, vectors in self._read():
            found = [(rows[key], place) for place, key in enumerate(keys) if key in rows]
            if found:
                to, of = np.array(found).T
                into[to] = vectors[of]
                filled[to] = True
        if lost := len(rows) - np.count_nonzero(filled):
            raise InputError(
                f"{self._folder} has lost the vectors of {lost:,} photos: run again, only these are computed."
            )

    def _sweep(self) -> None:
        """Deletes temporary files (`pipeline.files.atomic`), but for those of another run that goes on."""
        for path in self._folder.glob(".*.parquet.[0-9]*.tmp"):
            pid = int(path.name.split(".")[-2])
            # Nothing of this run is being written yet, but in a container all runs have the same number.
            if pid == os.getpid() or not psutil.pid_exists(pid):
                path.unlink(missing_ok=True)

    def _read(self) -> Iterator[tuple[list[str], np.ndarray]]:
        schema = vector_table(PHOTO_HASH, [], np.empty((0, self._dimension), np.float32)).schema
        for path in sorted(self._folder.glob("*.parquet")):
            try:
                part = pq.read_table(path)
                if not part.schema.equals(schema):
                    raise pa.ArrowInvalid("it has other columns")
                part.validate(full=True)  # Or a key that is no UTF-8 would stop every run.
            except (pa.ArrowInvalid, OSError) as error:
                # An errno is of the system, which may well read the file later; damage that pyarrow finds has none.
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                log.warning("%s is broken (%s): its photos are computed again.", path, one_line(error))
                path.unlink(missing_ok=True)  # pyarrow's FileNotFoundError has no errno, either.
                continue
            numbers = part[VECTOR].combine_chunks().flatten().to_numpy()
            yield part[PHOTO_HASH].to_pylist(), numbers.reshape(-1, self._dimension)
