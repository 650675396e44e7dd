"""Reading of forms with photos: everything is counted while it is read."""

import asyncio
import hashlib
import re
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import BadContentDispositionHeader, BadContentDispositionParam, BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from pipeline.recommend.service.batches import BusyError
from pipeline.recommend.service.guard import refusal
from pipeline.recommend.service.limits import Limits
from pipeline.words import counted

Read = TypeVar("Read")

FILE_NAME = re.compile(r";\s*filename[*\d]*\s*=", re.IGNORECASE)
"""The beginning of a file's name among the headers of a part."""
CHUNK_BYTES = 64 * 1024
"""Bytes that are read at once."""


@dataclass(frozen=True)
class Field:
    """A field of a form that is not a file."""

    name: str
    text: str


@dataclass(frozen=True)
class Upload:
    """A file of a form."""

    field: str
    """The name of its field."""
    hash: str
    """The SHA-256 of its bytes."""
    data: bytes
    """Its bytes, which count against the budget."""
    settle: Callable[..., None]
    """A function to call when the bytes are no longer held."""


class Budget:
    """Bytes that all uploads together may hold."""

    def __init__(self, most: int):
        self.left = most

    def take(self, number: int) -> None:
        """Takes some bytes. Raises BusyError when there are not as many left."""
        if number > self.left:
            raise BusyError
        self.left -= number

    def give_back(self, number: int) -> None:
        """Gives back bytes that were taken."""
        self.left += number


class FormReader:
    """The parts of a multipart request, one after another.

    Raises the refusal of a form that is none, is cut short, too large, or comes too slowly.
    """

    def __init__(self, request: web.Request, limits: Limits, budget: Budget):
        if request.content_type != "multipart/form-data":
            raise refusal(web.HTTPUnsupportedMediaType, "Photos must be sent as multipart/form-data.")
        self._request, self._limits, self._budget, self._clock = request, limits, budget, Clock(limits)

    async def parts(self) -> AsyncIterator[Field | Upload]:
        """Yields fields and files in their order."""
        fields = photos = 0
        for category in (BadContentDispositionHeader, BadContentDispositionParam):
            warnings.simplefilter("ignore", category)  # They would quote the client.
        try:
            reader = await self._request.multipart()
            while (part := await self._in_time(reader.next())) is not None:
                fields += 1
                if fields > self._limits.fields:
                    raise too_large(f"A form has at most {self._limits.fields} fields.")
                if not isinstance(part, BodyPartReader) or not part.name:
                    raise refusal(web.HTTPBadRequest, "A part of the form has no name, or parts of its own.")
                if not _is_file(part):
                    yield Field(part.name, await self._text(part))
                    continue
                photos += 1
                if photos > self._limits.photos:
                    raise too_large(f"A request has at most {counted(self._limits.photos, 'photos')}.")
                yield await self._file(part)
        except (ValueError, AssertionError, EOFError, RuntimeError, HttpProcessingError) as error:
            raise refusal(web.HTTPBadRequest, "The form is incomplete, or not a form.") from error

    async def _text(self, part: BodyPartReader) -> str:
        data = bytearray()
        while chunk := await self._in_time(part.read_chunk(CHUNK_BYTES)):
            data += chunk
            if len(data) > self._limits.text_bytes:
                raise too_large(f"A field has at most {self._limits.text_bytes:,} bytes.")
        return data.decode("utf-8")

    async def _file(self, part: BodyPartReader) -> Upload:
        data, digest = bytearray(), hashlib.sha256()
        taken = 0
        try:
            while chunk := await self._in_time(part.read_chunk(CHUNK_BYTES)):
                if len(data) + len(chunk) > self._limits.photo_bytes:
                    raise too_large(f"A photo has at most {self._limits.photo_bytes:,} bytes.")
                self._budget.take(len(chunk))
                taken += len(chunk)
                data += chunk
                digest.update(chunk)
        except BaseException:
            self._budget.give_back(taken)
            raise
        return Upload(part.name, digest.hexdigest(), bytes(data), lambda *_: self._budget.give_back(taken))

    async def _in_time(self, reading: Awaitable[Read]) -> Read:
        return await self._clock.wait(reading)


def _is_file(part: BodyPartReader) -> bool:
    """Recognises a file by its name, which is not used and may be one that cannot be decoded."""
    return FILE_NAME.search(part.headers.get("Content-Disposition", "")) is not None


class Clock:
    """The seconds that a client may take to send a request. Those in which the service computes do not count."""

    def __init__(self, limits: Limits):
        self._idle, self._left = limits.idle_seconds, limits.upload_seconds

    async def wait(self, reading: Awaitable[Read]) -> Read:
        """Waits for the next bytes. Raises the refusal of a client that is too slow."""
        start = time.monotonic()
        try:
            async with asyncio.timeout(min(self._idle, self._left)):
                return await reading
        except TimeoutError:
            raise refusal(web.HTTPRequestTimeout, "The request comes too slowly.") from None
        finally:
            self._left -= time.monotonic() - start


def too_large(message: str) -> web.HTTPError:
    """Makes the refusal of a request that is too large."""
    return refusal(web.HTTPRequestEntityTooLarge, message, max_size=0, actual_size=0)


async def read_json(request: web.Request, limits: Limits) -> bytes:
    """Reads the body of a request in JSON.

    Raises the refusal of one that is none, is too large, or comes too slowly.
    """
    if request.content_type != "application/json":
        raise refusal(web.HTTPUnsupportedMediaType, "The request must be sent as application/json.")
    data, clock = bytearray(), Clock(limits)
    while chunk := await clock.wait(request.content.readany()):
        data += chunk
        if len(data) > limits.json_bytes:
            raise too_large(f"A request has at most {limits.json_bytes:,} bytes.")
    return bytes(data)
