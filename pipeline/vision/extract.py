"""Extraction: a vector for each photo, resumable, the same bytes wherever it was interrupted."""

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import InputError
from pipeline.files import write_parquet
from pipeline.progress import track
from pipeline.sources.photos import Photo
from pipeline.vision.extractor import BATCH, Extractor, canonical, describe
from pipeline.vision.images import decode
from pipeline.vision.record import RECORD

T, R = TypeVar("T"), TypeVar("R")

log = logging.getLogger(__name__)

AHEAD = 2 * BATCH
"""Photos decoded before the network asks for them, at most."""


def extract(extractor: Extractor, photos: Iterable[Photo], total: int, work: Path, threads: int = 2) -> pa.Table:
    """The features of photos: photo (str), vector (fixed_size_list<float32>[dimension]), sorted by photo.

    The extractor's record lies in the schema's metadata, as JSON. `photos` are decoded in `threads` threads while the
    network works. Each finished batch is kept in `work`, in a folder named by the extractor's fingerprint, by the hash
    of each photo's bytes: a rerun, or another recipe of the source, computes only what it lacks, and kill -9 loses one
    batch. Raises InputError for a photo that cannot be decoded, and when the network gives a number that is not finite.
    """
    parts = work / extractor.fingerprint
    vectors = _read_parts(parts, extractor.dimension)
    keys, rest = _finished(photos, vectors)
    tracked = track(rest, f"Extracting {extractor.kind}", total, "photos", done=len(keys))
    with ThreadPoolExecutor(threads) as pool, closing(tracked):
        lacking = _lacking(tracked, vectors, keys)
        prepared = _ahead(pool, lambda photo: (_key(photo), extractor.preprocess(decode(photo))), lacking)
        while batch := list(islice(prepared, BATCH)):
            computed = _compute(extractor, [pixels for _, pixels in batch])
            part = {key: vector for (key, _), vector in zip(batch, computed, strict=True)}
            _write_part(part, parts)
            vectors |= part
    names = sorted(keys)
    table = _table("photo", names, [vectors[keys[name]] for name in names], extractor.dimension)
    return table.replace_schema_metadata({RECORD: canonical(describe(extractor))})


def _key(photo: Photo) -> str:
    return hashlib.sha256(photo.jpeg).hexdigest()


def _finished(photos: Iterable[Photo], vectors: Mapping[str, np.ndarray]) -> tuple[dict[str, str], Iterable[Photo]]:
    """The photos at the start that an earlier run has done, as keys by photo; they do not count for this run's speed.

    And the photos from the first one that it has not done.
    """
    keys, rest = {}, iter(photos)
    for photo in rest:
        key = _key(photo)
        if key not in vectors:
            return keys, chain([photo], rest)
        keys[photo.photo] = key
    return keys, ()


def _lacking(photos: Iterable[Photo], vectors: Mapping[str, np.ndarray], keys: dict[str, str]) -> Iterator[Photo]:
    """The photos without a vector, of equal ones the first; notes the key of every photo in `keys`."""
    asked = set()
    for photo in photos:
        key = keys[photo.photo] = _key(photo)
        if key not in vectors and key not in asked:
            asked.add(key)
            yield photo


def _ahead(pool: Executor, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The results of a function in order, up to `AHEAD` of them made in the pool before they are asked for."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _compute(extractor: Extractor, pixels: Sequence[np.ndarray]) -> np.ndarray:
    """The vectors of up to BATCH photos; the last one is repeated where a batch is not full."""
    filled = [*pixels, *[pixels[-1]] * (BATCH - len(pixels))]
    vectors = extractor.compute(np.stack(filled))[: len(pixels)]
    if not np.isfinite(vectors).all():
        raise InputError(f"{extractor.record['name']} gives numbers that are not finite: are its weights broken?")
    return vectors


def _table(column: str, names: Sequence[str], vectors: Sequence[np.ndarray], dimension: int) -> pa.Table:
    numbers = np.concatenate([np.empty(0, np.float32), *vectors])
    vector = pa.FixedSizeListArray.from_arrays(pa.array(numbers, pa.float32()), dimension)
    return pa.table({column: pa.array(names, pa.string()), "vector": vector})


def _write_part(part: Mapping[str, np.ndarray], parts: Path) -> None:
    """Keeps a finished batch in a file named by what it holds."""
    name = hashlib.sha256("".join(part).encode()).hexdigest()[:16]
    dimension = len(next(iter(part.values())))
    write_parquet(_table("jpeg_sha256", list(part), list(part.values()), dimension), parts / f"{name}.parquet")


def _read_parts(parts: Path, dimension: int) -> dict[str, np.ndarray]:
    """The vectors of finished batches by key. A broken file is deleted, so that its photos are computed again."""
    vectors = {}
    schema = _table("jpeg_sha256", [], [], dimension).schema
    for path in sorted(parts.glob("*.parquet")):
        try:
            table = pq.read_table(path)
            if not table.schema.equals(schema):
                raise pa.ArrowInvalid("it has other columns")
        except (pa.ArrowException, OSError) as error:
            log.warning("%s is broken (%s): its photos are computed again.", path, " ".join(str(error).split()))
            path.unlink()
            continue
        numbers = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, dimension)
        vectors |= zip(table["jpeg_sha256"].to_pylist(), numbers, strict=True)
    return vectors
