"""Preparation of uploaded photos in separate processes: a file that breaks a decoder breaks nothing else.

The processes answer with the prepared photo, which is what the networks see and the journal keeps.
"""

import asyncio
import logging
import os
import resource
import struct
import sys
from contextlib import suppress
from typing import BinaryIO, Self

from PIL import Image

from pipeline.data.photo import PhotoError, prepare
from pipeline.processes import PYTHON, environment

log = logging.getLogger(__name__)

HEADER = struct.Struct("<?Q")
"""The head of a message: True for a photo, False for a reason; and the number of bytes."""
MEMORY = 3 * 1024**3
"""Bytes of address space of a process, at most: some bombs are small until they are decoded."""
ATTEMPTS = 2
"""Attempts at a photo whose process is killed: memory may have been short."""


class Packers:
    """Processes that prepare photos, for use in an `async with` block.

    workers: the number of processes.
    pixels: of a photo, at most.
    seconds: in which a photo must be prepared.
    """

    def __init__(self, workers: int, pixels: int, seconds: float):
        self._packers = [_Packer(pixels) for _ in range(workers)]
        self._seconds = seconds
        self._idle: asyncio.LifoQueue[_Packer] = asyncio.LifoQueue()

    async def __aenter__(self) -> Self:
        for packer in self._packers:
            await packer.start()
            self._idle.put_nowait(packer)
        return self

    async def __aexit__(self, *_: object) -> None:
        for packer in self._packers:
            await packer.end()

    @property
    def pids(self) -> list[int]:
        """The processes."""
        return [packer.pid for packer in self._packers]

    async def pack(self, data: bytes) -> bytes:
        """Prepares a photo from the bytes of its file. Raises PhotoError, also for one that ends its process."""
        packer = await self._idle.get()
        try:
            for _ in range(ATTEMPTS):
                with suppress(asyncio.IncompleteReadError, ConnectionError):
                    async with asyncio.timeout(self._seconds):
                        return await packer.pack(data)
                log.warning("A process that decodes photos ended; another takes its place.")
            raise PhotoError("undecodable")
        except TimeoutError:
            log.warning("A photo took longer than %s seconds to decode: its process is ended.", self._seconds)
            raise PhotoError("undecodable") from None
        finally:
            self._idle.put_nowait(packer)


class _Packer:
    """A process that prepares one photo after another, started anew when it has ended or was left midway."""

    def __init__(self, pixels: int):
        self._pixels = pixels
        self._process: asyncio.subprocess.Process | None = None
        self._between = False

    @property
    def pid(self) -> int:
        return self._process.pid

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *PYTHON,
            f"from {__name__} import serve; serve({self._pixels})",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(),
            process_group=0,  # Ctrl-C is for the process that uses this one.
        )
        self._between = True

    async def pack(self, data: bytes) -> bytes:
        if not self._between:
            await self.end()
            await self.start()
        self._between = False
        self._process.stdin.write(HEADER.pack(True, len(data)))
        self._process.stdin.write(data)
        await self._process.stdin.drain()
        is_photo, length = HEADER.unpack(await self._process.stdout.readexactly(HEADER.size))
        answer = await self._process.stdout.readexactly(length)
        self._between = True
        if not is_photo:
            raise PhotoError(answer.decode())
        return answer

    async def end(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


def serve(pixels: int) -> None:
    """Runs a process: prepares the photos that come in on standard input until it is closed."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    Image.MAX_IMAGE_PIXELS = pixels // 2  # Photos of more than twice as many are refused.
    while (data := _read(source)) is not None:
        try:
            is_photo, answer = True, prepare("", data).jpeg
        except PhotoError as error:
            is_photo, answer = False, error.reason.encode()
        try:
            target.write(HEADER.pack(is_photo, len(answer)) + answer)
            target.flush()
        except BrokenPipeError:  # The service was killed.
            os._exit(1)  # A regular exit would flush, and fail again.


def _read(source: BinaryIO) -> bytes | None:
    header = source.read(HEADER.size)
    return source.read(HEADER.unpack(header)[1]) if len(header) == HEADER.size else None
