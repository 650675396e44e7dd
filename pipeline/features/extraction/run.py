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
from pipeline.features.extraction.engine import Computed, Engine, Task, key
from pipeline.features.extraction.vector_files import VectorFiles
from pipeline.features.extractor import Extractor
from pipeline.features.record import features_table
from pipeline.progress import Meter, meter

log = logging.getLogger(__name__)


def extract(
    extractors: Sequence[Extractor], photos: Iterable[Photo], total: int, work: Path, engine: Engine
) -> dict[str, str]:
    """Sees to it that `work` holds a vector of each of `total` photos by each extractor. Returns the photos' keys.

    One pass over the photos feeds all extractors. Finished vectors are kept in `work`, in a folder named by the
    extractor's fingerprint, by the hash of the photo's bytes: a rerun, or another recipe of the source, computes only
    what it lacks, and kill -9 loses some seconds' work. Vectors do not pile up in memory. Raises InputError for a photo
    that cannot be decoded, when the network gives a number that is not finite, and when the disk is full.
    """
    parts = [VectorFiles(work / extractor.fingerprint, extractor.dimension) for extractor in extractors]
    known = [of.keys() for of in parts]
    keys, rest = _finished(photos, known)
    with meter(f"Extracting {' and '.join(e.kind for e in extractors)}", total, "photos", len(keys)) as shown:
        run = _Run(shown)
        with closing(engine(extractors, run.lacking(rest, known, keys))) as results:
            try:
                for computed in results:
                    _check(computed, extractors[computed.extractor])
                    writing = time.monotonic()
                    parts[computed.extractor].add(computed.keys, computed.vectors)
                    run.note(computed, time.monotonic() - writing)
            finally:
                for of in parts:
                    of.flush()
    if run.photos:
        log.info("Computed %s photos at %.1f/s: %s.", f"{run.photos:,}", run.photos / run.seconds, run.shares())
    return keys


def features(extractor: Extractor, keys: Mapping[str, str], work: Path) -> pa.Table:
    """The features of photos, given with their keys, once `extract` is through: photo (str), vector
    (fixed_size_list<float32>[dimension]), sorted by photo.

    The extractor's record lies in the schema's metadata, as JSON. Memory holds the vectors once. Raises InputError when
    vectors have been lost since.
    """
    names = sorted(keys)
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        rows.setdefault(keys[name], row)
    vectors = np.empty((len(names), extractor.dimension), np.float32)
    VectorFiles(work / extractor.fingerprint, extractor.dimension).gather(rows, vectors)
    for row, name in enumerate(names):
        if rows[keys[name]] != row:  # The same picture under another id.
            vectors[row] = vectors[rows[keys[name]]]
    return features_table(names, vectors, extractor.record)


def _finished(photos: Iterable[Photo], known: Sequence[set[str]]) -> tuple[dict[str, str], Iterable[Photo]]:
    """The photos at the start that an earlier run has done, as keys by photo; they do not count for this run's speed.

    And the photos from the first one that it has not done.
    """
    keys, rest = {}, iter(photos)
    for photo in rest:
        of = key(photo.jpeg)
        if not all(of in done for done in known):
            return keys, chain([photo], rest)
        keys[photo.id] = of
    return keys, ()


def _check(computed: Computed, extractor: Extractor) -> None:
    if not np.isfinite(computed.vectors).all():
        raise InputError(f"{extractor.record['name']} gives numbers that are not finite: are its weights broken?")


class _Run:
    """What a run has done, and what its time went into."""

    def __init__(self, shown: Meter):
        self._shown, self._start = shown, time.monotonic()
        self._waiting: Counter[str] = Counter()
        self.photos, self.computing, self.writing = 0, 0.0, 0.0

    def lacking(self, photos: Iterable[Photo], known: Sequence[set[str]], keys: dict[str, str]) -> Iterator[Task]:
        """The photos that lack a vector, of equal ones the first. Notes the key of every photo in `keys`.

        What is asked for counts as known from then on.
        """
        for photo in photos:
            of = keys[photo.id] = key(photo.jpeg)
            wanted = frozenset(number for number, done in enumerate(known) if of not in done)
            if wanted:
                self._waiting[of] = len(wanted)
                for number in wanted:
                    known[number].add(of)
                yield Task(photo, of, wanted)
            else:
                self._shown.advance(self.shares())

    def note(self, computed: Computed, writing: float) -> None:
        """Shows what was computed: a photo is done when it has its last vector."""
        self.computing += computed.seconds
        self.writing += writing
        note = self.shares()
        for of in computed.keys:
            self._waiting[of] -= 1
            if not self._waiting[of]:
                del self._waiting[of]
                self.photos += 1
                self._shown.advance(note)

    @property
    def seconds(self) -> float:
        """That it has taken up to now."""
        return max(time.monotonic() - self._start, 1e-9)

    def shares(self) -> str:
        """What the time went into: what limits the speed has the largest share."""
        seconds = self.seconds
        reading = seconds - self.computing - self.writing
        shares = {"reading": reading, "computing": self.computing, "writing": self.writing}
        return ", ".join(f"{100 * of / seconds:.0f} % {what}" for what, of in shares.items())
