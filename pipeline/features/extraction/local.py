"""The engine of this machine: processes decode photos ahead of the network, which never waits for one."""

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import torch

from pipeline.errors import InputError
from pipeline.features.extraction.batch import BatchComputer, find_batch
from pipeline.features.extraction.decoding import NICE, Decoders
from pipeline.features.extraction.device import cores, pinned, use_own_stream
from pipeline.features.extraction.engine import PhotoTask, Vectors
from pipeline.features.extraction.gpu_decoding import decode_and_compute
from pipeline.features.extractor import Extractor, deterministic

SLOTS = 4
"""The least number of batches in memory: one at the network, one that waits for it, two that are decoded."""
JOBS = 2
"""The least number of jobs in memory for each process that decodes: one in work, one that waits for it."""
PHOTOS_PER_JOB = 10
"""Photos handed to a process at once: no more than a batch, and as many as are read at once."""
PHOTOS_PER_GPU_JOB = 3 * PHOTOS_PER_JOB
"""The same beside a GPU, where many processes wait for the main one: they do so less often."""


@dataclass(frozen=True)
class LocalEngine:
    """The local engine: called like any `Engine`.

    workers: processes that decode; with 0, this one does. None takes one for each core if there is a GPU, and one for
        two cores on a CPU, where decoding is a small part of the work and the network needs the cores.
    """

    workers: int | None = None

    def __call__(self, extractors: Sequence[Extractor], tasks: Iterable[PhotoTask]) -> Generator[Vectors, None, None]:
        tasks = iter(tasks)
        first = next(tasks, None)
        if first is None:
            return  # Nothing to do needs no processes, and no search for a batch.
        device = next((each.device for each in extractors if each.device.type != "cpu"), extractors[0].device)
        on_cpu = device.type == "cpu"
        # On a GPU two: the batch of one is moved there while that of the other is computed. They share TF32's setting.
        # On a CPU two for sessions, each with half of the threads: all would wait for one another after every layer.
        tf32 = {each.tf32 for each in extractors}
        able = [each.session is not None and each.threads > 1 if on_cpu else each.reentrant for each in extractors]
        computing = 2 if all(able) and len(tf32) == 1 else 1
        # Around all threads: one that leaves its own must not reset that of another.
        with deterministic(max(tf32)):
            if extractors[0].decoder == "gpu":
                yield from decode_and_compute(extractors, chain([first], tasks), computing)
            else:
                yield from self._decoded_here(extractors, chain([first], tasks), device, computing)

    def _decoded_here(
        self, extractors: Sequence[Extractor], tasks: Iterator[PhotoTask], device: torch.device, computing: int
    ) -> Generator[Vectors, None, None]:
        """Computes tasks that processes of this machine decode, by a number of computing threads."""
        on_cpu = device.type == "cpu"
        workers = self.workers
        if workers is None:
            workers = (cores() + 1) // 2 if on_cpu else cores()
        batches = [find_batch(extractor) for extractor in extractors]
        sizes = [extractor.size for extractor in extractors]
        per_job = PHOTOS_PER_JOB if on_cpu else PHOTOS_PER_GPU_JOB
        rows = [_rows(batch, workers, per_job) for batch in batches]
        shapes = [(count, size, size, 3) for count, size in zip(rows, sizes, strict=True)]
        preprocess = [extractor.preprocess for extractor in extractors]
        with (
            Decoders(preprocess, shapes, workers, NICE if on_cpu else 0, extractors[0].decoder) as decoders,
            pinned(decoders.arrays, device),
            ThreadPoolExecutor(computing, initializer=use_own_stream, initargs=(device,)) as threads,
        ):
            ready = [extractor.for_batches(computing) for extractor in extractors]  # While the processes start.
            queues = [
                _Queue(number, *each, threads)
                for number, each in enumerate(zip(ready, batches, decoders.arrays, strict=True))
            ]
            try:
                yield from _flow(queues, decoders, tasks, per_job)
            except InputError:
                for queue in queues:
                    yield from queue.submitted()
                raise


def _rows(batch: int, workers: int, per_job: int) -> int:
    """Returns the rows of pixels, in whole batches, that keep a network and the processes busy.

    There is room for two full batches, at the network or waiting for it, while every process has its jobs.
    """
    wanted = 2 * batch + JOBS * max(1, workers) * per_job
    return max(SLOTS, -(-wanted // batch)) * batch


def _flow(
    queues: Sequence["_Queue"], decoders: Decoders, tasks: Iterator[PhotoTask], per_job: int
) -> Generator[Vectors, None, None]:
    """Has tasks decoded as soon as there is room for their pixels, and yields the vectors as they are computed.

    per_job: the number of photos handed to a process at once.
    """
    while chunk := list(islice(tasks, per_job)):
        for queue in queues:
            while queue.room < per_job:
                yield queue.next()
        job = [
            (task.photo, [(number, queues[number].reserve(task.photo.hash)) for number in task.wanted])
            for task in chunk
        ]
        decoded = decoders.submit(job)
        for task in chunk:
            for number in task.wanted:
                queues[number].add_decoded(decoded)
    for queue in queues:
        while queue.busy:
            yield queue.next()


class _Queue:
    """The batches of an extractor on their way through its network.

    pixels: uint8 (rows, size, size, 3), a ring of rows that are reserved, filled and computed in the same order.
    """

    def __init__(self, number: int, extractor: Extractor, batch: int, pixels: np.ndarray, threads: Executor):
        self._number, self._batch = number, batch
        self._compute = BatchComputer(extractor, batch)
        self._pixels, self._threads = pixels, threads
        self._reserved = self._submitted = 0
        self._hashes: deque[str] = deque()
        self._decoded: deque[Future[None]] = deque()
        self._batches: deque[tuple[list[str], Future[np.ndarray]]] = deque()

    @property
    def room(self) -> int:
        """The number of rows that are free."""
        return len(self._pixels) - len(self._hashes) - self._batch * len(self._batches)

    @property
    def busy(self) -> bool:
        """True while there are rows that are not computed, or not collected."""
        return bool(self._hashes or self._batches)

    def reserve(self, photo: str) -> int:
        """Reserves the next row for the pixels of a photo, given by its hash."""
        row = self._reserved % len(self._pixels)
        self._reserved += 1
        self._hashes.append(photo)
        return row

    def add_decoded(self, decoded: "Future[None]") -> None:
        """Adds, for the oldest row that has none yet, the future that ends when its pixels are there."""
        self._decoded.append(decoded)

    def next(self) -> Vectors:
        """Returns the vectors of the oldest batch. The one after it has been submitted by then."""
        while self._hashes and len(self._batches) < 2:
            self._submit()
        return self._collect()

    def submitted(self) -> Generator[Vectors, None, None]:
        """Yields the vectors of the batches that have been submitted."""
        while self._batches:
            yield self._collect()

    def _submit(self) -> None:
        """Submits the oldest rows to the network as a batch."""
        count = min(self._batch, len(self._hashes))
        for _ in range(count):
            self._decoded.popleft().result()
        start = self._submitted * self._batch % len(self._pixels)
        rows = self._pixels[start : start + self._batch]  # (batch, size, size, 3)
        rows[count:] = rows[count - 1]  # Always full: on a CPU the last digits depend on the shape.
        hashes = [self._hashes.popleft() for _ in range(count)]
        self._batches.append((hashes, self._threads.submit(self._compute, rows)))
        self._submitted += 1

    def _collect(self) -> Vectors:
        """Waits for the oldest batch."""
        hashes, computed = self._batches.popleft()
        start = time.monotonic()
        vectors = computed.result()[: len(hashes)]
        return Vectors(self._number, hashes, vectors, time.monotonic() - start)
