"""The decoding of photos in separate processes, into memory that they share with this one."""

import logging
import math
import mmap
import os
import pickle
import signal
import socket
import tempfile
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from multiprocessing.connection import Connection
from queue import SimpleQueue

import numpy as np

from pipeline.data.packed import PackedPhoto, read_packed
from pipeline.data.photo import PhotoFile
from pipeline.errors import ResourceError
from pipeline.features.extraction.decoders import DECODERS
from pipeline.features.extraction.starter import Starter, above_streams, cannot_run
from pipeline.features.images import Picture, open_picture

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""The number of times that a job whose process is killed is tried."""

NICE = 10
"""The niceness of decoders that share a CPU with a network, whose threads would all wait for a delayed one."""

Preprocess = Callable[[Picture], np.ndarray]
Shape = tuple[int, int, int, int]
Job = Sequence[tuple[PackedPhoto | PhotoFile, Sequence[tuple[int, int]]]]
"""Photos, each with the numbers of arrays and rows that its pixels go to.

Of packed ones only the places travel: the process reads the shards itself.
"""


class DecoderKilled(ResourceError):
    """Processes that are killed again and again at the same photos, for lack of memory as a rule."""


class Decoders:
    """Processes that decode photos, for use in a `with` block.

    preprocess: for each extractor the function from a photo to pixels.
    shapes: of the `arrays` that take the pixels, uint8 (rows, size, size, 3), one for each extractor.
    workers: the number of processes; with 0 a thread of this process decodes.
    nice: is added to the niceness of the processes.
    decoder: the name of the decoder of packed photos.

    A process that is killed is replaced and its job repeated. The processes end with the block, at once where an error
    or an interrupt ends it, and when this one is killed.
    """

    def __init__(
        self,
        preprocess: Sequence[Preprocess],
        shapes: Sequence[Shape],
        workers: int,
        nice: int = 0,
        decoder: str = "pillow",
    ):
        self._memory = _shared_file(sum(map(_room, shapes)))
        self.arrays = _arrays(self._memory, shapes)
        self._starter = Starter(__name__, self._memory, decoder) if workers else None
        setting = (preprocess, shapes, nice, decoder)
        self._processes = [_DecodingProcess(self._starter, setting) for _ in range(workers)]
        self._idle: SimpleQueue[Callable[[Job], None]] = SimpleQueue()
        for worker in self._processes or [partial(_fill, preprocess=preprocess, arrays=self.arrays, decoder=decoder)]:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(max(1, workers))  # One for each process, to wait for it.

    def submit(self, job: Job) -> "Future[None]":
        """Submits a job.

        Its future raises InputError for a packed photo that cannot be decoded, PhotoError for a file that is none, and
        DecoderKilled for photos that kill processes.
        """
        return self._threads.submit(self._run, job)

    def _run(self, job: Job) -> None:
        worker = self._idle.get()
        try:
            worker(job)
        finally:
            self._idle.put(worker)

    def __enter__(self) -> "Decoders":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._processes if error else ():
            process.abandon()
        self._threads.shutdown()
        for process in self._processes:
            process.disconnect()  # All of them first, so that they end at the same time.
        for process in self._processes:
            process.end()
        if self._starter:
            self._starter.close()
        os.close(self._memory)


class _DecodingProcess:
    """A process that decodes, connected by a socket of its own: if either side dies, the other notices.

    It is started by its first job, by a `Starter`, so that it has nothing of this process, its torch and its threads,
    and does not import the program that uses it, as processes of `multiprocessing` do.
    """

    def __init__(self, starter: Starter, setting: tuple[Sequence[Preprocess], Sequence[Shape], int, str]):
        self._starter, self._setting = starter, setting
        self._pipe: Connection | None = None
        self._abandoned = False
        self.pid: int | None = None
        """Its number, while it runs."""

    def _start(self) -> None:
        self.pid, pipe = self._starter.start()
        self._pipe = Connection(pipe.detach())
        self._pipe.send(self._setting)

    def __call__(self, job: Job) -> None:
        for _ in range(ATTEMPTS):
            if self._abandoned:
                raise CancelledError
            try:
                if not self._pipe:
                    self._start()
                self._pipe.send(job)
                error = self._pipe.recv()
            except (EOFError, OSError):
                code = self.end()
                if self._abandoned:
                    continue
                if code > 0:
                    raise cannot_run(code) from None
                log.warning("A process that decodes photos ended (exit code %s): its work is repeated.", code)
                continue
            if error is not None:
                raise error
            return
        raise DecoderKilled(
            f"Processes that decode photos are killed again and again, the last (exit code {code}) at one of "
            f"{_names(job)}: free memory, or leave that photo out.",
            "workers",
        )

    def abandon(self) -> None:
        """Ends the job in work, whose future raises CancelledError, even if the process does not answer any more."""
        self._abandoned = True
        with suppress(AttributeError, OSError), socket.socket(fileno=os.dup(self._pipe.fileno())) as pipe:
            pipe.shutdown(socket.SHUT_RDWR)

    def disconnect(self) -> None:
        """Closes the connection, if there is one, whereupon the process ends by itself."""
        if self._pipe:
            self._pipe.close()
            self._pipe = None

    def end(self) -> int:
        """Ends the process and returns its exit code; where there is none, that of a killed one."""
        self.disconnect()
        pid, self.pid = self.pid, None
        return -signal.SIGKILL if pid is None else self._starter.end(pid)


def serve(connection: Connection, memory: int) -> None:
    """Runs a process: takes jobs and answers them until the other end of the socket is closed."""
    preprocess, shapes, nice, decoder = connection.recv()
    os.nice(nice)
    arrays = _arrays(memory, shapes)
    with suppress(EOFError, OSError):  # The other end is closed, whether it waits for an answer or not.
        while True:
            connection.send(_answer(connection.recv(), preprocess, arrays, decoder))


def _answer(job: Job, preprocess: Sequence[Preprocess], arrays: Sequence[np.ndarray], decoder: str) -> Exception | None:
    """Does a job. Returns its error, for the waiting side to raise, or the message of one that cannot travel."""
    try:
        _fill(job, preprocess, arrays, decoder)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
            answer = error
        except Exception:  # Whatever the error's own class does there.
            answer = RuntimeError(f"{type(error).__name__}: {error}")
        answer.add_note(traceback.format_exc())
        return answer
    return None


def _fill(job: Job, preprocess: Sequence[Preprocess], arrays: Sequence[np.ndarray], decoder: str) -> None:
    """Puts the pixels of a job's photos into the arrays."""
    packed = read_packed(photo for photo, _ in job if isinstance(photo, PackedPhoto))
    for photo, places in job:
        image = DECODERS[decoder](next(packed)) if isinstance(photo, PackedPhoto) else open_picture(photo)
        for number, row in places:
            arrays[number][row] = preprocess[number](image)  # (size, size, 3)


def _shared_file(size: int) -> int:
    """Opens a file in memory, without a name: nothing of it remains, however the processes end."""
    with ExitStack() as opened:
        try:
            file = os.memfd_create("pixels")
            opened.callback(os.close, file)
        except (AttributeError, OSError):  # Not Linux, or forbidden there.
            file = opened.enter_context(tempfile.TemporaryFile()).fileno()
        file = above_streams(file)
    os.ftruncate(file, max(1, size))  # Where there are no arrays, there is nothing to map.
    return file


def _arrays(file: int, shapes: Sequence[Shape]) -> list[np.ndarray]:
    """Maps the arrays that lie in a shared file, one after another."""
    memory, start, arrays = mmap.mmap(file, 0), 0, []
    for shape in shapes:
        arrays.append(np.frombuffer(memory, np.uint8, math.prod(shape), start).reshape(shape))
        start += _room(shape)
    return arrays


def _room(shape: Shape) -> int:
    """Returns the bytes of an array, in whole pages: memory is pinned by pages."""
    return -(-math.prod(shape) // mmap.PAGESIZE) * mmap.PAGESIZE


def _names(job: Job) -> str:
    return ", ".join(repr(photo.name if isinstance(photo, PhotoFile) else photo.id) for photo, _ in job)
