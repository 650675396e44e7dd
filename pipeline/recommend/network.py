"""From image files to vectors, by networks of any runtime: nothing here imports torch."""

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from PIL import Image

from pipeline.data.photo import QUALITY, SIDE, PhotoError, PhotoFile
from pipeline.errors import InputError
from pipeline.features.config import BATCH
from pipeline.features.extraction.decoding import NICE, DecoderKilled, Decoders
from pipeline.features.extraction.vector_files import VectorFiles
from pipeline.features.place import PlaceEncoder
from pipeline.features.record import canonical
from pipeline.keywords.capture_place import place_taken
from pipeline.keywords.capture_time import time_taken

SLOTS = 3
"""Batches in memory: one at the networks, one that waits for them, one that is decoded."""

FEW = 4
"""Photos of a short list that are computed at once, while the next ones are decoded."""

PREPARATION = {"side": SIDE, "quality": QUALITY}
"""All that decides how a photo looks to a network, apart from the network's own preprocessing."""


class Network(Protocol):
    """A network that gives each photo a vector, such as an `Extractor`."""

    size: int
    """Pixels of its input each way."""
    dimension: int
    """The length of its vectors."""
    record: Mapping[str, Any]
    """All that decides its numbers."""

    @property
    def preprocess(self) -> Callable[[Image.Image], np.ndarray]:
        """The function from a photo to the network's input, uint8 (size, size, 3), which travels to other processes."""

    def compute(self, batch: np.ndarray) -> np.ndarray:
        """Returns the vectors, float32 (B, dimension), of preprocessed photos, uint8 (B, size, size, 3)."""


@dataclass(frozen=True)
class PhotoVectors:
    """All that a model sees of a photo."""

    hash: str
    """The SHA-256 of the file's bytes, in hexadecimal."""
    vectors: Mapping[str, np.ndarray]
    """A vector, float32, by the name of each extractor."""
    time: int | None = None
    """The time at which the photo was taken, in milliseconds since 1970; None where it is unknown."""


class PhotoReader:
    """The way from image files to vectors, for use in a `with` block, by one thread at a time.

    networks: by the names of extractors.
    workers: processes that decode photos; with 0, this one does. One that a photo kills is replaced.
    places: what makes vectors of where photos were taken, by the names of extractors.
    """

    def __init__(
        self, networks: Mapping[str, Network], workers: int = 0, places: Mapping[str, PlaceEncoder] | None = None
    ):
        self.networks, self.places = networks, places or {}
        with ExitStack() as opened:
            each = networks.values()
            shapes = [(SLOTS * BATCH, network.size, network.size, 3) for network in each]
            preprocess = [network.preprocess for network in each]
            self._decoders = opened.enter_context(Decoders(preprocess, shapes, workers, NICE))
            self._computing = opened.enter_context(ThreadPoolExecutor(1))
            self._opened = opened.pop_all()

    @property
    def extractors(self) -> Mapping[str, Network | PlaceEncoder]:
        """All that gives a photo a vector, by the names of extractors."""
        return {**self.networks, **self.places}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes."""
        self._opened.close()

    def read(
        self, files: Iterable[PhotoFile], work: Path | None = None
    ) -> Generator[PhotoVectors | PhotoError, None, None]:
        """Computes the vectors of photos, in order; a file that is not a photo gives its error instead.

        Each is prepared as for training. The next photos are decoded while the networks compute, and memory stays flat.

        Of a list of fewer than `BATCH` photos nothing else is computed. Otherwise batches are always full, so that a
        vector does not depend on its neighbours. With `work`, vectors are kept in that folder by the hash of the file,
        and a run that was killed resumes to give the same bytes.
        """
        exact = work is None and isinstance(files, Sequence) and len(files) < BATCH
        kept = None if work is None else _KeptVectors(work, self.networks)
        batches: deque[_Batch] = deque()
        files = iter(files)
        try:
            for number, chunk in enumerate(iter(lambda: list(islice(files, FEW if exact else BATCH)), [])):
                batches.append(self._begin(number % SLOTS * BATCH, chunk, kept, exact))
                if len(batches) == SLOTS:
                    yield from self._end(batches.popleft(), kept)
            while batches:
                yield from self._end(batches.popleft(), kept)
        finally:
            for batch in batches:  # Nobody wants these any more, and whoever reads next gets their rows.
                batch.computed.cancel()
                wait([*filter(None, batch.decoded), batch.computed])
            if kept:
                kept.flush()

    def _begin(self, first: int, chunk: Sequence[PhotoFile], kept: "_KeptVectors | None", exact: bool) -> "_Batch":
        """Has a batch decoded, to the rows from `first` on, and then computed."""
        hashes = [hashlib.sha256(file.data).hexdigest() for file in chunk]
        known = [kept.get(photo) if kept else None for photo in hashes]
        decoded = [
            None if found else self._decoders.submit([(file, [(number, row) for number in range(len(self.networks))])])
            for row, (file, found) in enumerate(zip(chunk, known, strict=True), start=first)
        ]
        times = [time_taken(file.data) for file in chunk]
        placed = self._placed(chunk)
        return _Batch(
            hashes, times, placed, known, decoded, self._computing.submit(self._compute, first, decoded, exact)
        )

    def _placed(self, chunk: Sequence[PhotoFile]) -> list[Mapping[str, np.ndarray]]:
        """Computes the vectors of where photos were taken; a photo that does not say has zeros."""
        if not self.places:
            return [{}] * len(chunk)
        positions = np.array([place_taken(file.data) or (np.nan, np.nan) for file in chunk])
        vectors = {name: encoder.vectors(positions) for name, encoder in self.places.items()}
        return [{name: vectors[name][row] for name in vectors} for row in range(len(chunk))]

    def _compute(
        self, first: int, decoded: Sequence["Future[None] | None"], exact: bool
    ) -> list[Mapping[str, np.ndarray] | PhotoError | None]:
        """Computes what is decoded of a batch: vectors, an error, or None where there was nothing to decode."""
        results: list[Mapping[str, np.ndarray] | PhotoError | None] = [_fault(future) for future in decoded]
        places = [
            place
            for place, (future, fault) in enumerate(zip(decoded, results, strict=True))
            if future is not None and fault is None
        ]
        if places:
            rows = [first + place for place in places]
            rows += [] if exact else rows[-1:] * (BATCH - len(rows))
            # Of each network, (B, dimension): B is BATCH unless exact.
            vectors = {
                name: _finite(network, network.compute(pixels[rows]))
                for (name, network), pixels in zip(self.networks.items(), self._decoders.arrays, strict=True)
            }
            for row, place in enumerate(places):
                results[place] = {name: matrix[row] for name, matrix in vectors.items()}
        return results

    def _end(self, batch: "_Batch", kept: "_KeptVectors | None") -> Iterator[PhotoVectors | PhotoError]:
        """Waits for a batch, keeps its vectors, and yields all that it has of each photo."""
        computed = batch.computed.result()
        if kept:
            kept.add({photo: new for photo, new in zip(batch.hashes, computed, strict=True) if isinstance(new, dict)})
        each = zip(batch.hashes, batch.times, batch.placed, batch.known, computed, strict=True)
        for photo, time, placed, known, new in each:
            found = known or new
            yield found if isinstance(found, PhotoError) else PhotoVectors(photo, {**found, **placed}, time)


@dataclass(frozen=True)
class _Batch:
    """Photos on their way through the networks."""

    hashes: Sequence[str]
    """Of the files."""
    times: Sequence[int | None]
    """The times at which they were taken."""
    placed: Sequence[Mapping[str, np.ndarray]]
    """The vectors of where they were taken."""
    known: Sequence[Mapping[str, np.ndarray] | None]
    """Vectors that an earlier run kept."""
    decoded: "Sequence[Future[None] | None]"
    """The decoding of all others."""
    computed: "Future[list[Mapping[str, np.ndarray] | PhotoError | None]]"
    """Their vectors, or errors."""


def _fault(decoded: "Future[None] | None") -> PhotoError | None:
    """Waits until a photo is decoded. Returns the reason why it cannot be."""
    try:
        if decoded is not None:
            decoded.result()
    except PhotoError as error:
        return error
    except DecoderKilled:
        return PhotoError("undecodable")
    return None


def _finite(network: Network, vectors: np.ndarray) -> np.ndarray:
    """Raises InputError when a network gives a number that is not finite."""
    if not np.isfinite(vectors).all():
        raise InputError(f"{network.record['name']} gives numbers that are not finite: are its weights broken?")
    return vectors


class _KeptVectors:
    """Vectors on disk, by the hash of their photo's file, in a folder for each network."""

    def __init__(self, work: Path, networks: Mapping[str, Network]):
        self._files = {
            name: VectorFiles(work / fingerprint(network), network.dimension) for name, network in networks.items()
        }
        self._found = {name: files.read() for name, files in self._files.items()}

    def get(self, photo: str) -> dict[str, np.ndarray] | None:
        """Returns the vectors of a photo, given by its hash; None unless all networks have one."""
        found = {name: vectors[photo] for name, vectors in self._found.items() if photo in vectors}
        return found if len(found) == len(self._files) else None

    def add(self, computed: Mapping[str, Mapping[str, np.ndarray]]) -> None:
        """Keeps the vectors of photos, given by their hashes."""
        if computed:
            for name, files in self._files.items():
                files.add(list(computed), np.stack([vectors[name] for vectors in computed.values()]))

    def flush(self) -> None:
        """Writes what is not written yet."""
        for files in self._files.values():
            files.flush()


def fingerprint(extractor: Network | PlaceEncoder) -> str:
    """Returns a name for all that decides the vectors that an extractor gives to image files."""
    return hashlib.sha256(canonical({**extractor.record, **PREPARATION}).encode()).hexdigest()[:16]
