"""Photos decoded in processes of their own, into memory that they share with this one."""

import logging
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np
from PIL import Image

from pipeline.errors import InputError
from pipeline.sources.photos import Photo
from pipeline.vision.images import decode

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""At a job whose process is killed each time."""

Preprocess = Callable[[Image.Image], np.ndarray]
Job = Sequence[tuple[Photo, Sequence[tuple[int, int]]]]
"""Photos, each with the numbers of the arrays, and the rows in them, that its pixels go to."""


class Decoders:
    """`workers` processes that decode photos; with none, a thread of this process does.

    `arrays` are where they put the pixels: one for each of `preprocess`, uint8 (rows, size, size, 3). A process that is
    killed is replaced and its job repeated. To be used in a `with` block, at whose end the processes end; they also end
    when this process is killed.
    """

    def __init__(
        self, preprocess: Sequence[Preprocess], shapes: Sequence[tuple[int, ...]], workers: int, nice: int = 0
    ):
        # Of torch and its threads a new process must inherit nothing, so no plain fork.
        context = get_context("forkserver" if "forkserver" in get_all_start_methods() else "spawn")
        memory = [context.RawArray("B", int(np.prod(shape))) for shape in shapes]
        self.arrays = [_array(*of) for of in zip(memory, shapes, strict=True)]
        self._pool = ThreadPoolExecutor(max(1, workers))
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._workers: list[_Process] = []
        if not workers:
            self._idle.put(partial(_fill, preprocess=preprocess, arrays=self.arrays))
            return
        context.set_forkserver_preload([__name__])
        for _ in range(workers):
            process = _Process(context, (preprocess, memory, shapes, nice))
            self._workers.append(process)
            self._idle.put(process)

    def submit(self, job: Job) -> "Future[None]":
        """Has a job done. Its future raises InputError for a photo that cannot be decoded, or that kills processes."""
        return self._pool.submit(self._run, job)

    def _run(self, job: Job) -> None:
        worker = self._idle.get()
        try:
            worker(job)
        finally:
            self._idle.put(worker)

    def __enter__(self) -> "Decoders":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for process in self._workers:
            process.end()


class _Worker(Protocol):
    def __call__(self, job: Job) -> None: ...


class _Process:
    """A process, behind a pipe that no other process holds an end of: whoever dies, the other one notices."""

    def __init__(self, context: Any, arguments: tuple[Any, ...]):
        self._context, self._arguments = context, arguments
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs, *self._arguments), daemon=True)
        self._process.start()
        theirs.close()

    def __call__(self, job: Job) -> None:
        for _ in range(ATTEMPTS):
            try:
                self._pipe.send(job)
                answer = self._pipe.recv()
            except (EOFError, OSError):
                code = self.end()
                log.warning("A process that decodes photos ended (exit code %s): its work is repeated.", code)
                self._start()
                continue
            if answer is not None:
                raise answer
            return
        raise InputError(
            f"Processes that decode photos are killed again and again, the last at one of {_names(job)}: free memory, "
            "or take fewer of them (--workers)."
        )

    def end(self) -> int:
        """Ends the process and returns its exit code."""
        self._pipe.close()
        self._process.kill()
        self._process.join()
        return self._process.exitcode


def _serve(
    pipe: Connection, preprocess: Sequence[Preprocess], memory: Sequence[Any], shapes: Sequence[tuple], nice: int
) -> None:
    """A process's whole life: a job, an answer, until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that uses this one.
    os.nice(nice)
    arrays = [_array(*of) for of in zip(memory, shapes, strict=True)]
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            _fill(job, preprocess, arrays)
            answer = None
        except Exception as error:  # Raised where the job's result is awaited.
            error.add_note(traceback.format_exc())
            answer = error
        pipe.send(answer)


def _fill(job: Job, preprocess: Sequence[Preprocess], arrays: Sequence[np.ndarray]) -> None:
    for photo, places in job:
        image = decode(photo)
        for number, row in places:
            arrays[number][row] = preprocess[number](image).transpose(1, 2, 0)


def _array(memory: Any, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(memory, np.uint8).reshape(shape)


def _names(job: Job) -> str:
    return ", ".join(repr(photo.photo) for photo, _ in job)
