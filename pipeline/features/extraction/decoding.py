"""The decoding of photos in separate processes, into memory that they share with this one."""

import logging
import math
import mmap
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from queue import SimpleQueue

import numpy as np

from pipeline.data.packed import PackedPhoto, read_packed
from pipeline.data.photo import PhotoFile
from pipeline.errors import ResourceError
from pipeline.features.extraction.decoders import DECODERS
from pipeline.features.images import Picture, open_picture

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""The number of times that a job whose process is killed is tried."""
GRACE = 10.0
"""Seconds within which a process must end once it has stopped answering."""

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

    A process that is killed is replaced and its job repeated. The processes end with the block, and when this one is
    killed.
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
        self._processes = [_DecodingProcess(self._memory, (preprocess, shapes, nice, decoder)) for _ in range(workers)]
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

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.end()
        os.close(self._memory)


class _DecodingProcess:
    """A process that decodes, connected by a socket of its own: if either side dies, the other notices.

    It is started anew and not forked, so that it has nothing of torch and its threads, and does not import the program
    that uses it, as processes of `multiprocessing` do.
    """

    def __init__(self, memory: int, setting: tuple[Sequence[Preprocess], Sequence[Shape], int, str]):
        self._memory, self._setting = memory, setting
        self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            code = f"from {__name__} import _serve; _serve({theirs.fileno()}, {self._memory})"
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                # One thread: there are as many processes as cores to decode.
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"},
                pass_fds=(theirs.fileno(), self._memory),
                process_group=0,  # Ctrl-C is for the process that uses this one.
            )
        self._pipe = Connection(ours.detach())
        self._pipe.send(self._setting)

    def __call__(self, job: Job) -> None:
        for _ in range(ATTEMPTS):
            try:
                self._pipe.send(job)
                error = self._pipe.recv()
            except (EOFError, OSError):
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(GRACE)  # It closes its end a moment before it has its exit code.
                code = self.end()
                if code > 0:
                    raise ResourceError(
                        f"A process that decodes photos cannot run (exit code {code}, see above).", "workers"
                    ) from None
                log.warning("A process that decodes photos ended (exit code %s): its work is repeated.", code)
                self._start()
                continue
            if error is not None:
                raise error
            return
        raise DecoderKilled(
            f"Processes that decode photos are killed again and again, the last at one of {_names(job)}: free memory.",
            "workers",
        )

    def end(self) -> int:
        """Ends the process and returns its exit code."""
        self._pipe.close()
        self._process.kill()
        return self._process.wait()


def _serve(pipe: int, memory: int) -> None:
    """Runs a process: takes jobs and answers them until the other end of the socket is closed."""
    connection = Connection(pipe)
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
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("pixels")
    else:
        with tempfile.TemporaryFile() as unnamed:
            file = os.dup(unnamed.fileno())
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
