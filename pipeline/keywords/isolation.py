"""Calls in other processes, so that a library that crashes or hangs at one item costs that item alone."""

import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Generic, TypeVar

from pipeline.errors import InputError, one_line
from pipeline.processes import PYTHON, environment

T = TypeVar("T")
R = TypeVar("R")

ITEMS_PER_CHUNK = 64
"""Items that a process is given at once."""
TIMEOUT = 30.0
"""Seconds without an answer after which a process counts as hung."""
GRACE = 10.0
"""Seconds within which a process must end once it has closed its end."""


@dataclass(frozen=True)
class Failure:
    """The result for an item at which the function raised an exception, crashed, or hung."""

    reason: str
    """The message of the exception, or the words that follow the item's name."""


def call_isolated(
    function: Callable[[T], R], items: Sequence[T], workers: int = 2, timeout: float = TIMEOUT
) -> Iterator[R | Failure]:
    """Yields the function's result for each item, in their order.

    Function, items and results are pickled. Raises InputError where processes cannot run at all.
    """
    chunks = [items[start : start + ITEMS_PER_CHUNK] for start in range(0, len(items), ITEMS_PER_CHUNK)]
    processes = [_Process(function, timeout) for _ in range(min(workers, len(chunks)))]
    idle: SimpleQueue[_Process[T, R]] = SimpleQueue()
    for process in processes:
        idle.put(process)

    def call(chunk: Sequence[T]) -> list[R | Failure]:
        process = idle.get()
        try:
            return process(chunk)
        finally:
            idle.put(process)

    threads = ThreadPoolExecutor(max(1, len(processes)))  # One for each process, to wait for it.
    try:
        for results in threads.map(call, chunks):
            yield from results
    finally:
        for process in processes:
            process.stop()
        threads.shutdown(cancel_futures=True)
        for process in processes:
            process.end()


class _Process(Generic[T, R]):
    """A process that calls a function, connected by a socket of its own: if either side dies, the other notices.

    It is started anew and not forked, and does not import the program that uses it, as those of `multiprocessing` do.
    """

    def __init__(self, function: Callable[[T], R], timeout: float):
        self._function, self._timeout, self._stopped = function, timeout, False
        self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*PYTHON, f"from {__name__} import _serve; _serve({theirs.fileno()})"],
                stdin=subprocess.DEVNULL,
                env=environment(),
                pass_fds=(theirs.fileno(),),
                process_group=0,  # Ctrl-C is for the process that uses this one.
            )
        self._pipe = Connection(ours.detach())

    def __call__(self, items: Sequence[T]) -> list[R | Failure]:
        results: list[R | Failure] = []
        while len(results) < len(items) and not self._stopped:
            try:
                self._pipe.send((self._function, items[len(results) :]))
                while len(results) < len(items):
                    if not self._pipe.poll(self._timeout):
                        raise TimeoutError
                    results.append(self._pipe.recv())
            except TimeoutError:
                results.append(Failure(f"takes longer than {self._timeout:g} seconds"))
                self._restart()
            except (EOFError, OSError):
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(GRACE)  # It closes its end a moment before it has its exit code.
                code = self._restart()
                if code > 0 and not self._stopped:
                    message = f"A process that reads keywords cannot run (exit code {code}, see above)."
                    raise InputError(message) from None
                results.append(Failure(f"ends the process that reads it (exit code {code})"))
        return results

    def _restart(self) -> int:
        code = self.end()
        self._start()
        return code

    def stop(self) -> None:
        """Kills the process, so that a call in another thread returns at once, even from an item that hangs."""
        self._stopped = True
        self._process.kill()

    def end(self) -> int:
        """Ends the process and returns its exit code."""
        self._pipe.close()
        self._process.kill()
        return self._process.wait()


def _serve(pipe: int) -> None:
    """Runs a process: calls the function until the other end of the socket is closed."""
    connection = Connection(pipe)
    with suppress(EOFError, OSError):  # The other end is closed, whether it waits for an answer or not.
        while True:
            function, items = connection.recv()
            for item in items:
                try:
                    result = function(item)
                except Exception as error:
                    result = Failure(one_line(error) or type(error).__name__)
                connection.send(result)
