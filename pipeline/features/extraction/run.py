"""Extraction: a vector for each photo, resumable, the same bytes wherever it was interrupted."""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.data.photo import Photo
from pipeline.errors import InputError
from pipeline.features.extraction.engine import Engine, PhotoTask, Vectors, photo_hash
from pipeline.features.extraction.vector_files import VectorFiles
from pipeline.features.extractor import Extractor
from pipeline.features.record import features_table
from pipeline.progress import Meter, meter

log = logging.getLogger(__name__)


def extract(
    extractors: Sequence[Extractor], photos: Iterable[Photo], total: int, work: Path, engine: Engine
) -> dict[str, str]:
    """Computes the vectors of `total` photos that `work` lacks, by each extractor. Returns the photos' hashes.

    One pass over the photos feeds all extractors. Finished vectors are kept in `work`, in a folder named by the
    extractor's fingerprint, by the hash of the photo's bytes: a rerun, or another recipe of the source, computes only
    what it lacks, and kill -9 loses some seconds' work. Vectors do not pile up in memory. Raises InputError for a photo
    that cannot be decoded, when the network gives a number that is not finite, and when the disk is full.
    """
    files = [VectorFiles(work / extractor.fingerprint, extractor.dimension) for extractor in extractors]
    known = [each.hashes() for each in files]
    hashes, rest = _finished(photos, known)
    names = " and ".join(extractor.record["name"] for extractor in extractors)
    with meter(f"Extracting {names}", total, "photos", len(hashes)) as shown:
        progress = _Progress(shown)
        with closing(engine(extractors, progress.lacking(rest, known, hashes))) as results:
            try:
                for computed in results:
                    _check(computed, extractors[computed.extractor])
                    writing = time.monotonic()
                    files[computed.extractor].add(computed.hashes, computed.vectors)
                    progress.add(computed, time.monotonic() - writing)
            finally:
                for each in files:
                    each.flush()
    if progress.photos:
        rate = progress.photos / progress.seconds
        log.info("Computed %s photos at %.1f/s: %s.", f"{progress.photos:,}", rate, progress.shares())
    return hashes


def features(extractor: Extractor, hashes: Mapping[str, str], work: Path) -> pa.Table:
    """Returns the features of photos once `extract` has computed them: columns photo and vector, sorted by photo.

    hashes: of each photo, as `extract` returns them.

    Memory holds the vectors once. Raises InputError when vectors have been lost since.
    """
    names = sorted(hashes)
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        rows.setdefault(hashes[name], row)
    vectors = np.empty((len(names), extractor.dimension), np.float32)
    VectorFiles(work / extractor.fingerprint, extractor.dimension).gather(rows, vectors)
    for row, name in enumerate(names):
        if rows[hashes[name]] != row:  # The same picture under another id.
            vectors[row] = vectors[rows[hashes[name]]]
    return features_table(names, vectors, extractor.record)


def _finished(photos: Iterable[Photo], known: Sequence[set[str]]) -> tuple[dict[str, str], Iterable[Photo]]:
    """Splits photos into those at the start that an earlier run has finished, and the rest.

    Returns the hashes of the finished ones by id; they do not count for this run's speed.
    """
    hashes, rest = {}, iter(photos)
    for photo in rest:
        found = photo_hash(photo.jpeg)
        if not all(found in done for done in known):
            return hashes, chain([photo], rest)
        hashes[photo.id] = found
    return hashes, ()


def _check(computed: Vectors, extractor: Extractor) -> None:
    if not np.isfinite(computed.vectors).all():
        raise InputError(f"{extractor.record['name']} gives numbers that are not finite: are its weights broken?")


class _Progress:
    """The photos that a run has finished, and the seconds that its parts took."""

    def __init__(self, shown: Meter):
        self._shown, self._start = shown, time.monotonic()
        self._waiting: Counter[str] = Counter()
        self.photos, self.computing, self.writing = 0, 0.0, 0.0

    def lacking(
        self, photos: Iterable[Photo], known: Sequence[set[str]], hashes: dict[str, str]
    ) -> Iterator[PhotoTask]:
        """Yields the photos that lack a vector, of equal ones the first. Adds the hash of every photo to `hashes`.

        A vector that was asked for counts as known from then on.
        """
        for photo in photos:
            found = hashes[photo.id] = photo_hash(photo.jpeg)
            wanted = frozenset(number for number, done in enumerate(known) if found not in done)
            if wanted:
                self._waiting[found] = len(wanted)
                for number in wanted:
                    known[number].add(found)
                yield PhotoTask(photo, found, wanted)
            else:
                self._shown.advance(self.shares())

    def add(self, computed: Vectors, writing: float) -> None:
        """Adds and shows what was computed and written: a photo is finished when it has its last vector."""
        self.computing += computed.seconds
        self.writing += writing
        note = self.shares()
        for photo in computed.hashes:
            self._waiting[photo] -= 1
            if not self._waiting[photo]:
                del self._waiting[photo]
                self.photos += 1
                self._shown.advance(note)

    @property
    def seconds(self) -> float:
        """The seconds since the start."""
        return max(time.monotonic() - self._start, 1e-9)

    def shares(self) -> str:
        """Returns the shares of the time, in words: the part that limits the speed has the largest."""
        seconds = self.seconds
        reading = seconds - self.computing - self.writing
        shares = {"reading": reading, "computing": self.computing, "writing": self.writing}
        return ", ".join(f"{100 * spent / seconds:.0f} % {part}" for part, spent in shares.items())
