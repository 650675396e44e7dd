"""A process that others are forked from: they share what it has imported, and its memory."""

import errno
import fcntl
import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing.connection import Connection
from threading import Lock
from typing import NoReturn

from pipeline.errors import ResourceError
from pipeline.features.extraction.decoders import import_for
from pipeline.processes import PYTHON, environment

log = logging.getLogger(__name__)

FORKS = sys.platform == "linux"
"""Elsewhere each process is started anew and imports all by itself: macOS's own libraries can crash after a fork."""


class Starter:
    """A process that imports what a decoder needs, once, and starts others; several threads may use it.

    module: the name of the module whose `serve` the processes run, which they import themselves.
    memory: the open file that the processes share.
    decoder: the decoder's name.

    It has one thread when it forks: polars and pyarrow, which start some, are imported by the processes. The fork
    server of `multiprocessing` does not fit: its processes import the program that uses them, and get its Ctrl-C. When
    the process that uses it is gone, the starter kills what it has started, and ends. If it is killed, it is replaced,
    and those it has started stay.
    """

    def __init__(self, module: str, memory: int, decoder: str):
        self._module, self._memory, self._decoder, self._lock = module, memory, decoder, Lock()
        # One thread: there are as many processes as cores to decode.
        self._environment = environment(OMP_NUM_THREADS="1")
        self._begin()

    def _begin(self) -> None:
        with _can_start():
            self._requests, theirs = socket.socketpair()
            with theirs:
                number = above_streams(theirs.fileno())
            arguments = f"{number}, {self._module!r}, {self._memory}, {self._decoder!r}, {FORKS}"
            try:
                self._process: subprocess.Popen | None = subprocess.Popen(
                    [*PYTHON, f"from {__name__} import _serve; _serve({arguments})"],
                    stdin=subprocess.DEVNULL,
                    stdout=None if _is_stream(1) else subprocess.DEVNULL,
                    stderr=None if _is_stream(2) else subprocess.DEVNULL,
                    env=self._environment,
                    pass_fds=(number, self._memory),
                    process_group=0,  # Ctrl-C is for the process that uses this one.
                )
            finally:
                os.close(number)

    def start(self) -> tuple[int, socket.socket]:
        """Starts a process that has the other end of a socket. Returns its number and the socket.

        Raises ChildProcessError when the starter is killed meanwhile, ResourceError when it cannot run, and when the
        system allows no further process.
        """
        with self._lock:
            if not self._process:
                self._begin()
            with _can_start():
                ours, theirs = socket.socketpair()
                with theirs:
                    number = self._ask(0, theirs.fileno())
                if number < 0:
                    raise OSError(-number, os.strerror(-number))
            return number, ours

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
        with suppress(ConnectionError):
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


@contextmanager
def _can_start() -> Iterator[None]:
    """Raises ResourceError where the system allows no further process or file."""
    try:
        yield
    except ChildProcessError:
        raise
    except OSError as error:
        raise ResourceError(f"No further process can decode photos ({error.strerror}).", "workers") from None


def above_streams(file: int) -> int:
    """Opens an open file again, by a number above those of the standard streams.

    The number of a stream that is closed is free; a process that has the file there prints into it.
    """
    return fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 3)


def _is_stream(number: int) -> bool:
    """Tests if a standard stream is open: its number may be that of another file, which processes do not get."""
    try:
        return os.get_inheritable(number)
    except OSError:
        return False


def _serve(requests: int, module: str, memory: int, decoder: str, forks: bool) -> None:
    """Runs the starter: takes requests and answers them until the other end of the socket is closed.

    A request is 0 with a socket, answered by the number of the process that has got it, or the negative number of the
    system's error; or the number of a process, answered by its exit code.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # Where it is ignored, which is inherited, exit codes are lost.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # A terminal may stop what prints and is not in its foreground.
    if forks:
        import_for(decoder)
        gc.freeze()  # A collection would copy the pages that it marks.
    os.set_inheritable(requests, False)
    connection, started = socket.socket(fileno=requests), set()
    while True:
        request, pipes = b"", []
        with suppress(ConnectionError):
            request, pipes, *_ = socket.recv_fds(connection, 32, 1)
        if not request:
            for process in started:
                os.kill(process, signal.SIGKILL)
            return
        if process := int(request):
            answer = _end(process) if process in started else -signal.SIGKILL
            started.discard(process)
        else:
            answer = _start(pipes, module, memory, connection, forks)
            started.update([answer] if answer > 0 else [])
        with suppress(ConnectionError):
            connection.send(b"%d" % answer)


def _start(pipes: Sequence[int], module: str, memory: int, requests: socket.socket, forks: bool) -> int:
    """Starts a process. Returns its number, or the negative one of the system's error."""
    if not pipes:
        return -errno.EMFILE  # The system drops what this process may not open.
    try:
        return _fork(pipes[0], module, memory, requests) if forks else _spawn(pipes[0], module, memory)
    except OSError as error:
        return -error.errno
    finally:
        os.close(pipes[0])


def _fork(pipe: int, module: str, memory: int, requests: socket.socket) -> int:
    process = os.fork()
    if not process:
        requests.close()  # Its other end must notice when the starter ends.
        _run(pipe, module, memory)
    return process


def _spawn(pipe: int, module: str, memory: int) -> int:
    os.set_inheritable(pipe, True)
    code = f"from {__name__} import _run; _run({pipe}, {module!r}, {memory})"
    return os.posix_spawn(sys.executable, [*PYTHON, code], os.environ)


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
