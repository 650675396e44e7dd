"""A process that others are forked from: they share what it has imported, and its memory."""

import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from threading import Lock
from typing import NoReturn

from pipeline.errors import ResourceError
from pipeline.features.extraction.decoders import import_for

log = logging.getLogger(__name__)

FORKS = sys.platform == "linux"
"""Elsewhere each process is started anew and imports all by itself: macOS's own libraries can crash after a fork."""


class Starter:
    """A process that imports what a decoder needs, once, and starts others; several threads may use it.

    module: the name of the module whose `serve` the processes run, which they import themselves.
    memory: the open file that the processes share.
    decoder: the decoder's name.

    It has one thread when it forks: polars and pyarrow, which start some, are imported by the processes. The fork
    server of `multiprocessing` does not fit: its processes import the program that uses them, and get its Ctrl-C. The
    starter ends when the process that uses it is gone. If it is killed, it is replaced, and those it has started stay.
    """

    def __init__(self, module: str, memory: int, decoder: str):
        self._module, self._memory, self._decoder, self._lock = module, memory, decoder, Lock()
        self._begin()

    def _begin(self) -> None:
        self._requests, theirs = socket.socketpair()
        with theirs:
            arguments = f"{theirs.fileno()}, {self._module!r}, {self._memory}, {self._decoder!r}, {FORKS}"
            self._process: subprocess.Popen | None = subprocess.Popen(
                [sys.executable, "-c", f"from {__name__} import _serve; _serve({arguments})"],
                stdin=subprocess.DEVNULL,
                # One thread: there are as many processes as cores to decode.
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"},
                pass_fds=(theirs.fileno(), self._memory),
                process_group=0,  # Ctrl-C is for the process that uses this one.
            )

    def start(self, pipe: socket.socket) -> int:
        """Starts a process that gets one end of a socket. Returns its number.

        Raises ChildProcessError when the starter is killed meanwhile, ResourceError when it cannot run.
        """
        with self._lock:
            if not self._process:
                self._begin()
            return self._ask(0, pipe.fileno())

    def end(self, process: int) -> int:
        """Kills a process, unless it has ended, and returns its exit code.

        One whose starter was killed is no longer known: it ends by itself when its socket is closed.
        """
        with self._lock, suppress(ChildProcessError):
            if self._process:
                return self._ask(process)
        return -signal.SIGKILL

    def close(self) -> None:
        """Ends the starter."""
        with self._lock:
            self._end()

    def _ask(self, process: int, *pipes: int) -> int:
        with suppress(OSError):
            socket.send_fds(self._requests, [b"%d" % process], pipes)
            if answer := self._requests.recv(32):
                return int(answer)
        code = self._end()
        if code > 0:
            raise cannot_run(code)
        raise ChildProcessError

    def _end(self) -> int:
        self._requests.close()
        process, self._process = self._process, None
        if not process:
            return 0
        process.kill()  # It closes its end when it has its exit code, which this does not change.
        return process.wait()


def cannot_run(code: int) -> ResourceError:
    """Returns the error for a process that has ended by itself."""
    return ResourceError(f"A process that decodes photos cannot run (exit code {code}, see above).", "workers")


def _serve(requests: int, module: str, memory: int, decoder: str, forks: bool) -> None:
    """Runs the starter: takes requests and answers them until the other end of the socket is closed.

    A request is 0 with a socket, answered by the number of the process that has got it; or the number of a process,
    answered by its exit code.
    """
    if forks:
        import_for(decoder)
        gc.freeze()  # A collection would copy the pages that it marks.
    os.set_inheritable(requests, False)
    connection, started = socket.socket(fileno=requests), set()
    with suppress(OSError):
        while True:
            request, pipes, *_ = socket.recv_fds(connection, 32, 1)
            if not request:
                return
            if pipes:
                answer = _fork(pipes[0], module, memory, connection) if forks else _spawn(pipes[0], module, memory)
                os.close(pipes[0])
                started.add(answer)
            else:
                process = int(request)
                answer = _end(process) if process in started else -signal.SIGKILL
                started.discard(process)
            connection.send(b"%d" % answer)


def _fork(pipe: int, module: str, memory: int, requests: socket.socket) -> int:
    process = os.fork()
    if not process:
        requests.close()  # Its other end must notice when the starter ends.
        _run(pipe, module, memory)
    return process


def _spawn(pipe: int, module: str, memory: int) -> int:
    os.set_inheritable(pipe, True)
    code = f"from {__name__} import _run; _run({pipe}, {module!r}, {memory})"
    return os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ)


def _end(process: int) -> int:
    os.kill(process, signal.SIGKILL)  # One that has ended keeps its exit code.
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


def _run(pipe: int, module: str, memory: int) -> NoReturn:
    """Runs a process that decodes. Only its end closes its socket: by then its exit code is certain."""
    connection, code = Connection(pipe), 1
    try:
        import_module(module).serve(connection, memory)
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(code)
