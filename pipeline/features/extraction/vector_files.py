"""Finished vectors on disk, by the hash of their photo, for runs that were interrupted, and for other recipes.

A file is a sealed Parquet of jpeg_sha256 (str) and vector (fixed_size_list<float32>), in a folder of its extractor.
polars reads and writes it, because suggesting does without pyarrow.
"""

import hashlib
import io
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.data.schema import PHOTO_HASH, VECTOR
from pipeline.errors import DamagedError, InputError, one_line
from pipeline.files.atomic import atomic, sweep_temporaries
from pipeline.files.seal import SEAL, UNSEALED, check_seal, seal
from pipeline.words import counted

log = logging.getLogger(__name__)

SECONDS = 5.0
"""Seconds of work that a kill -9 loses at most, and a batch.

With a file for each batch, NUS-WIDE would have 17,000 of them.
"""


class VectorFiles:
    """The files of vectors in a folder, all of length `dimension`."""

    def __init__(self, folder: Path, dimension: int):
        self._folder = folder
        self._schema = pl.Schema({PHOTO_HASH: pl.String, VECTOR: pl.Array(pl.Float32, dimension)})
        self._hashes: list[str] = []
        self._vectors: list[np.ndarray] = []
        self._written = -math.inf  # The first file is written at once: a full disk is found early.

    def hashes(self) -> set[str]:
        """Returns the hashes of the photos that have vectors. A broken file is deleted: they are computed again.

        So is what killed runs left half-written. Raises OSError when the system does not let a file be read.
        """
        sweep_temporaries(self._folder)
        return {photo for hashes, _ in self._read() for photo in hashes}

    def read(self) -> dict[str, np.ndarray]:
        """Returns the vectors in memory, by the hash of their photo. Broken files are as for `hashes`."""
        sweep_temporaries(self._folder)
        pairs = (zip(hashes, vectors, strict=True) for hashes, vectors in self._read())
        return dict(chain.from_iterable(pairs))

    def add(self, hashes: Sequence[str], vectors: np.ndarray) -> None:
        """Adds finished vectors, float32 (len(hashes), dimension); writes a file when the last is `SECONDS` old."""
        self._hashes.extend(hashes)
        self._vectors.append(vectors)
        if time.monotonic() - self._written >= SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes what was added since the last file."""
        if self._hashes:
            name = hashlib.sha256("".join(self._hashes).encode()).hexdigest()[:16]
            file = io.BytesIO()
            vectors = pl.Series(np.concatenate(self._vectors), dtype=self._schema[VECTOR])
            pl.DataFrame({PHOTO_HASH: self._hashes, VECTOR: vectors}).write_parquet(file, metadata={SEAL: UNSEALED})
            with atomic(self._folder / f"{name}.parquet") as temporary:
                temporary.write_bytes(file.getbuffer())
                seal(temporary)
            self._hashes, self._vectors = [], []
        self._written = time.monotonic()

    def gather(self, rows: Mapping[str, int], into: np.ndarray) -> None:
        """Copies the vectors of some photos, each to its own row of a matrix, one file after another.

        rows: by the hash of the photo.

        Raises InputError when some are gone: a file was broken or deleted since `hashes` found them.
        """
        filled = np.zeros(len(into), bool)  # A mask, not a count: two runs at once may keep a photo twice.
        for hashes, vectors in self._read():
            found = [(rows[photo], place) for place, photo in enumerate(hashes) if photo in rows]
            if found:
                targets, sources = np.array(found).T
                into[targets] = vectors[sources]
                filled[targets] = True
        if lost := len(rows) - np.count_nonzero(filled):
            raise InputError(
                f"{self._folder} has lost the vectors of {counted(lost, 'photos')}: run again, only these are computed."
            )

    def _read(self) -> Iterator[tuple[list[str], np.ndarray]]:
        """Yields the hashes and vectors of each file; deletes and logs a broken one."""
        for path in sorted(self._folder.glob("*.parquet")):
            try:
                check_seal(path)
                # Read by Python, so that an error of the system is an OSError, and damage an error of polars.
                frame = pl.read_parquet(io.BytesIO(path.read_bytes()))
                if frame.schema != self._schema:
                    raise pl.exceptions.SchemaError("it has other columns")
            except FileNotFoundError:  # Another run has found it broken.
                continue
            except (DamagedError, pl.exceptions.PolarsError) as error:
                log.warning("%s is broken (%s): its photos are computed again.", path, one_line(error))
                path.unlink(missing_ok=True)
                continue
            yield frame[PHOTO_HASH].to_list(), frame[VECTOR].to_numpy()
