"""The engine of this machine: processes decode photos ahead of the network, so that it never waits for one."""

import logging
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from pipeline.errors import InputError
from pipeline.features.extraction.batch import InPieces, fitting_batch
from pipeline.features.extraction.decoding import Decoders
from pipeline.features.extraction.device import cores, own_stream, pinned
from pipeline.features.extraction.engine import Computed, Task
from pipeline.features.extractor import Extractor, exact

log = logging.getLogger(__name__)

SLOTS = 4
"""Batches of an extractor in memory: one that the network works on, one that waits for it, two that are decoded."""
CHUNK = 8
"""Photos handed to a process at once: no more than a batch."""
NICE = 10
"""Of decoders beside a network on a CPU: they take what its threads leave, which would all wait for a delayed one."""


@dataclass(frozen=True)
class Local:
    """The local engine: call it, as any `Engine`.

    workers: processes that decode; with 0 this one does. None takes one for each core beside a GPU, and one for two
        cores on a CPU, where decoding is a small part of the work and the network needs the cores.
    """

    workers: int | None = None

    def __call__(self, extractors: Sequence[Extractor], tasks: Iterable[Task]) -> Generator[Computed, None, None]:
        tasks = iter(tasks)
        first = next(tasks, None)
        if first is None:
            return  # No processes, and no search for a batch, to do nothing.
        device = next((of.device for of in extractors if of.device.type != "cpu"), extractors[0].device)
        on_cpu = device.type == "cpu"
        workers = self.workers
        if workers is None:
            workers = (cores() + 1) // 2 if on_cpu else cores()
        # On a GPU two: the batch of one is moved there while that of the other is computed.
        computing = 1 if on_cpu or not all(of.reentrant for of in extractors) else 2
        batches = [fitting_batch(extractor) for extractor in extractors]
        shapes = [(SLOTS * batch, of.size, of.size, 3) for batch, of in zip(batches, extractors, strict=True)]
        preprocess = [extractor.preprocess for extractor in extractors]
        with (
            exact(),  # Here too: a thread that leaves it must not take it from another.
            Decoders(preprocess, shapes, workers, NICE if on_cpu else 0) as decoders,
            pinned(decoders.arrays, device),
            ThreadPoolExecutor(computing, initializer=own_stream, initargs=(device,)) as threads,
        ):
            lanes = [
                _Lane(number, *of, threads)
                for number, of in enumerate(zip(extractors, batches, decoders.arrays, strict=True))
            ]
            try:
                yield from _flow(lanes, decoders, chain([first], tasks))
            except InputError:
                for lane in lanes:
                    yield from lane.begun()
                raise


def _flow(lanes: Sequence["_Lane"], decoders: Decoders, tasks: Iterator[Task]) -> Generator[Computed, None, None]:
    """Brings tasks to the decoders as soon as their pixels have room, and gives what the network makes of them."""
    while chunk := list(islice(tasks, CHUNK)):
        for lane in lanes:
            while lane.room < CHUNK:
                yield lane.next()
        job = [(task.photo, [(number, lanes[number].place(task.key)) for number in task.wanted]) for task in chunk]
        decoded = decoders.submit(job)
        for task in chunk:
            for number in task.wanted:
                lanes[number].awaits(decoded)
    for lane in lanes:
        while lane.busy:
            yield lane.next()


class _Lane:
    """An extractor's batches on their way through the network. `pixels`, uint8 (rows, size, size, 3), is a ring."""

    def __init__(self, number: int, extractor: Extractor, batch: int, pixels: np.ndarray, threads: Executor):
        self._number, self._batch = number, batch
        self._compute = InPieces(extractor, batch)
        self._pixels, self._threads = pixels, threads
        self._placed = self._launched = 0
        self._keys: deque[str] = deque()
        self._decoded: deque[Future[None]] = deque()
        self._flights: deque[tuple[list[str], Future[np.ndarray]]] = deque()

    @property
    def room(self) -> int:
        """Rows that are free."""
        return len(self._pixels) - len(self._keys) - self._batch * len(self._flights)

    @property
    def busy(self) -> bool:
        return bool(self._keys or self._flights)

    def place(self, key: str) -> int:
        """The row for the pixels of a photo."""
        row = self._placed % len(self._pixels)
        self._placed += 1
        self._keys.append(key)
        return row

    def awaits(self, decoded: "Future[None]") -> None:
        """Notes, for the oldest row of which it is not known yet, what ends when its pixels are there."""
        self._decoded.append(decoded)

    def next(self) -> Computed:
        """The vectors of the oldest batch. The one after it is at the network by then."""
        while self._keys and len(self._flights) < 2:
            self._launch()
        return self._land()

    def begun(self) -> Generator[Computed, None, None]:
        """The vectors of the batches that are at the network."""
        while self._flights:
            yield self._land()

    def _launch(self) -> None:
        count = min(self._batch, len(self._keys))
        for _ in range(count):
            self._decoded.popleft().result()
        start = self._launched * self._batch % len(self._pixels)
        rows = self._pixels[start : start + self._batch]
        rows[count:] = rows[count - 1]  # Always full: on a CPU the last digits depend on the shape.
        keys = [self._keys.popleft() for _ in range(count)]
        self._flights.append((keys, self._threads.submit(self._compute, rows.transpose(0, 3, 1, 2))))
        self._launched += 1

    def _land(self) -> Computed:
        keys, flight = self._flights.popleft()
        start = time.monotonic()
        vectors = flight.result()[: len(keys)]
        return Computed(self._number, keys, vectors, time.monotonic() - start)
