"""Extraction: a vector for each photo, resumable, the same bytes wherever it was interrupted."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.data.packed import PackedPhoto
from pipeline.errors import InputError
from pipeline.features.extraction.engine import Engine, PhotoTask, Vectors
from pipeline.features.extraction.precision import choose_precision
from pipeline.features.extraction.vector_files import VectorFiles
from pipeline.features.extractor import Extractor
from pipeline.features.record import features_table
from pipeline.progress import Meter, meter

log = logging.getLogger(__name__)


def extract(extractors: Sequence[Extractor], photos: Sequence[PackedPhoto], work: Path, engine: Engine) -> None:
    """Computes the vectors of photos that `work` lacks, by each extractor.

    On a GPU, an extractor that leaves its precision open gets the one that the first photos show to be near enough.

    One pass over the photos feeds all extractors. Finished vectors are kept in `work`, in a folder named by the
    extractor's fingerprint, by the hash of the photo's bytes: a rerun, or another recipe of the source, computes only
    what it lacks, and kill -9 loses some seconds' work. Vectors do not pile up in memory. Raises InputError for a photo
    that cannot be decoded, when the network gives a number that is not finite, and when the disk is full.
    """
    for extractor in extractors:
        choose_precision(extractor, photos)
    files = [VectorFiles(work / extractor.fingerprint, extractor.dimension) for extractor in extractors]
    tasks = _lacking(photos, [each.hashes() for each in files])
    names = " and ".join(extractor.record["name"] for extractor in extractors)
    with meter(f"Extracting {names}", len(photos), "photos", len(photos) - len(tasks)) as shown:
        progress = _Progress(shown, tasks)
        with closing(engine(extractors, tasks)) as results:
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


def features(extractor: Extractor, photos: Sequence[PackedPhoto], work: Path) -> pa.Table:
    """Returns the features of photos once `extract` has computed them: columns photo and vector, sorted by photo.

    Memory holds the vectors once. Raises InputError when vectors have been lost since.
    """
    photos = sorted(photos, key=lambda photo: photo.id)
    rows: dict[str, int] = {}
    for row, photo in enumerate(photos):
        rows.setdefault(photo.hash, row)
    vectors = np.empty((len(photos), extractor.dimension), np.float32)
    VectorFiles(work / extractor.fingerprint, extractor.dimension).gather(rows, vectors)
    for row, photo in enumerate(photos):
        if rows[photo.hash] != row:  # The same picture under another id.
            vectors[row] = vectors[rows[photo.hash]]
    return features_table([photo.id for photo in photos], vectors, extractor.record)


def _lacking(photos: Sequence[PackedPhoto], known: Sequence[set[str]]) -> list[PhotoTask]:
    """Returns the photos that lack vectors, of equal ones the first.

    known: for each extractor, the hashes of the photos that have one.
    """
    tasks: dict[str, PhotoTask] = {}
    for photo in photos:
        wanted = frozenset(number for number, done in enumerate(known) if photo.hash not in done)
        if wanted:
            tasks.setdefault(photo.hash, PhotoTask(photo, wanted))
    return list(tasks.values())


def _check(computed: Vectors, extractor: Extractor) -> None:
    if not np.isfinite(computed.vectors).all():
        raise InputError(f"{extractor.record['name']} gives numbers that are not finite: are its weights broken?")


class _Progress:
    """The photos that a run has finished, and the seconds that its parts took."""

    def __init__(self, shown: Meter, tasks: Sequence[PhotoTask]):
        self._shown, self._start = shown, time.monotonic()
        self._waiting = Counter({task.photo.hash: len(task.wanted) for task in tasks})
        self.photos, self.computing, self.writing = 0, 0.0, 0.0

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
