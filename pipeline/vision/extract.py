"""Extraction: a vector for each photo, resumable, the same bytes wherever it was interrupted."""

import hashlib
import json
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import InputError
from pipeline.progress import track
from pipeline.sources.photos import Photo
from pipeline.vision.extractor import Extractor
from pipeline.vision.images import decode

T, R = TypeVar("T"), TypeVar("R")

BATCH = 16
"""Photos a batch. Fixed, and the last batch filled up, because the last digits of a convolution depend on its shape."""

RECORD = b"extractor"
"""The key of the parquet schema's metadata under which the extractor's record lies."""


class Finished:
    """The vectors that are finished, by the SHA-256 of the JPEG: kept in SQLite, so that kill -9 loses one batch.

    What they depend on names the file, so that a rerun, or another recipe of the source, computes only what it lacks.
    """

    def __init__(self, work: Path, fingerprint: str):
        work.mkdir(parents=True, exist_ok=True)
        self.path = work / f"{fingerprint}.sqlite"
        self.connection = sqlite3.connect(self.path)
        try:
            self.connection.execute("CREATE TABLE IF NOT EXISTS vectors (jpeg BLOB PRIMARY KEY, vector BLOB NOT NULL)")
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path} is broken ({error}): delete it and run again.") from None

    def close(self) -> None:
        self.connection.close()

    def has(self, jpeg: bytes) -> bool:
        return self.connection.execute("SELECT 1 FROM vectors WHERE jpeg = ?", (jpeg,)).fetchone() is not None

    def get(self, jpeg: bytes) -> np.ndarray:
        (vector,) = self.connection.execute("SELECT vector FROM vectors WHERE jpeg = ?", (jpeg,)).fetchone()
        return np.frombuffer(vector, "<f4")

    def put(self, jpegs: Iterable[bytes], vectors: np.ndarray) -> None:
        rows = zip(jpegs, (vector.astype("<f4").tobytes() for vector in vectors), strict=False)
        with self.connection:
            self.connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)


def extract(extractor: Extractor, photos: Iterable[Photo], total: int, work: Path) -> pa.Table:
    """The features of photos: photo (str), vector (fixed_size_list<float32>[dimension]), in the order of `photos`.

    Finished vectors wait in `work`. The extractor's record lies in the schema's metadata, as JSON. Raises InputError
    for a photo that cannot be decoded, and when the network gives a number that is not finite.
    """
    names, digests = [], []

    def lacking() -> Iterator[tuple[bytes, Photo]]:
        seen = set()
        for photo in track(photos, f"Extracting {extractor.kind}", total, "photos"):
            digest = hashlib.sha256(photo.jpeg).digest()
            names.append(photo.photo)
            digests.append(digest)
            if digest not in seen and not finished.has(digest):
                seen.add(digest)
                yield digest, photo

    def prepare(waiting: tuple[bytes, Photo]) -> tuple[bytes, np.ndarray]:
        digest, photo = waiting
        return digest, extractor.preprocess(decode(photo))

    with closing(Finished(work, extractor.fingerprint)) as finished, ThreadPoolExecutor(1) as pool:
        prepared = ahead(pool, prepare, lacking(), 2 * BATCH)
        while batch := list(islice(prepared, BATCH)):
            jpegs, pixels = zip(*batch, strict=True)
            filled = np.stack(pixels + (pixels[-1],) * (BATCH - len(pixels)))
            vectors = extractor.compute(filled)[: len(pixels)]
            if not np.isfinite(vectors).all():
                raise InputError(
                    f"{extractor.record['name']} gives numbers that are not finite: are its weights broken?"
                )
            finished.put(jpegs, vectors)
        matrix = np.empty((len(digests), extractor.dimension), np.float32)
        for row, digest in enumerate(digests):
            matrix[row] = finished.get(digest)
    vector = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), extractor.dimension)
    table = pa.table({"photo": pa.array(names, pa.string()), "vector": vector})
    return table.replace_schema_metadata({RECORD: json.dumps(extractor.record)})


def ahead(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T], depth: int) -> Iterator[R]:
    """The results of `work` in order, up to `depth` of them made in the pool before they are asked for."""
    waiting = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def read_record(path: Path) -> dict[str, Any]:
    """The extractor's record in a features file."""
    return json.loads(pq.read_schema(path).metadata[RECORD])
