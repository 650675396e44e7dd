"""One host, asked politely: a steady rate, retries of what can pass, pauses when it asks for them, an end to patience.

Whatever is raised here is in words of our own: the texts of the HTTP library can hold addresses, and those the API key.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp
from aiolimiter import AsyncLimiter
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from pipeline.sources.flickr.outcome import HTTP_ERROR, TOO_LARGE, Failure, Refusal, Stopped, Unreachable

T = TypeVar("T")

logger = logging.getLogger(__name__)

PASSING = {408, 425, 429, *range(500, 600)}
"""HTTP statuses that can pass: too early, too often, the server's own trouble."""
LARGEST = 32 * 1024**2
"""A longer body, in bytes, is nothing that we asked for: it is not read to its end."""
LONGEST_WAIT = 60.0
"""Seconds between two attempts at the same thing, at most."""
LONGEST_PAUSE = 600.0
"""Seconds that a host is left alone for after refusals in a row, at most, unless it asks for more."""
LONGEST_RETRY_AFTER = 2 * 3600.0
"""Seconds that a host may ask us to wait; for more the crawl stops. Flickr counts queries by the hour."""
WORTH_SAYING = 10.0
"""Seconds of a pause that is told of."""
FIRST_REFUSALS = 5
"""What a host may refuse in a row before it has answered even once: no network, a wrong address."""


@dataclass(frozen=True)
class Manners:
    """How a host is treated.

    rate: requests a second, at most. attempts: requests for the same thing before it is put off; backoff: seconds
    before the second, doubled for each further one, with jitter. refusals: things put off in a row before the crawl
    stops.
    """

    rate: float
    attempts: int
    backoff: float
    refusals: int


@dataclass(frozen=True)
class Answer:
    """What a host sent back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Visit:
    """What one photo has cost so far."""

    requests: int = 0


class Host:
    """The host behind one address. All requests share its rate and its pauses."""

    def __init__(self, session: aiohttp.ClientSession, url: str, manners: Manners):
        self.url = url
        self._session = session
        self._manners = manners
        # A bucket of one: requests are spread evenly, without bursts.
        self._limiter = AsyncLimiter(1, 1 / manners.rate)
        self._resume = 0.0
        self._in_a_row = 0
        self._has_answered = False

    @property
    def name(self) -> str:
        return urlsplit(self.url).netloc

    async def get(
        self, url: str, judge: Callable[[Answer], T], visit: Visit, params: Mapping[str, str] | None = None
    ) -> T:
        """What `judge` makes of the host's answer; it raises Failure or Refusal for an answer that is no use.

        A Refusal (429, 5xx, a broken or slow connection) is retried, and raised when the attempts are used up. Raises
        Stopped when the host has refused too often in a row, or asks for a pause longer than `LONGEST_RETRY_AFTER`.
        """
        backoff = self._manners.backoff
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Refusal),
            stop=stop_after_attempt(self._manners.attempts),
            wait=wait_exponential_jitter(multiplier=backoff, max=LONGEST_WAIT, jitter=backoff),
            reraise=True,
        )
        try:
            result = await retrying(self._once, url, judge, visit, params)
        except Refusal as refusal:
            self._refused(refusal.reason)
            raise
        except Failure as failure:
            if failure.odd:
                self._refused(failure.reason)
            else:
                self._answered()
            raise
        self._answered()
        return result

    async def _once(self, url: str, judge: Callable[[Answer], T], visit: Visit, params: Mapping[str, str] | None) -> T:
        await self._turn()
        visit.requests += 1
        try:
            async with self._session.get(url, params=params, allow_redirects=False) as response:
                answer = Answer(response.status, response.headers, await _body(response))
        except aiohttp.ClientSSLError:
            raise Unreachable("no secure connection") from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise Unreachable("no connection") from None
        except TimeoutError:
            raise Refusal("no answer in time") from None
        except aiohttp.ClientPayloadError:
            raise Refusal("answer cut short") from None
        except aiohttp.ClientError:
            raise Refusal("connection broken") from None
        if answer.status in PASSING:
            retry_after = _retry_after(answer.headers.get("Retry-After"))
            if retry_after is not None:
                self._pause(retry_after)
            raise Refusal(f"HTTP {answer.status}", retry_after)
        return judge(answer)

    async def _turn(self) -> None:
        """Waits for the end of a pause and for the rate's next place, until both are given."""
        while True:
            while (pause := self._resume - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            await self._limiter.acquire()
            if self._resume <= time.monotonic():
                return

    def _pause(self, seconds: float) -> None:
        if seconds > LONGEST_RETRY_AFTER:
            raise Stopped(f"{self.name} asks us to come back in {seconds / 3600:.1f} hours: run again then.")
        self._resume = max(self._resume, time.monotonic() + seconds)
        if seconds >= WORTH_SAYING:
            logger.info("%s is left alone for %.0f seconds", self.name, seconds)

    def _answered(self) -> None:
        self._has_answered, self._in_a_row = True, 0

    def _refused(self, reason: str) -> None:
        self._in_a_row += 1
        if not self._has_answered and self._in_a_row >= min(FIRST_REFUSALS, self._manners.refusals):
            raise Stopped(
                f"{self.name} has not answered once (last: {reason}): check the network and the address in the "
                "source's configuration, then run again."
            )
        if self._in_a_row >= self._manners.refusals:
            raise Stopped(
                f"{self.name} refused {self._in_a_row} times in a row (last: {reason}): run again later; all that was "
                "done is kept."
            )
        self._pause(min(LONGEST_PAUSE, self._manners.backoff * 2 ** min(self._in_a_row, 20)))


def unexpected(answer: Answer) -> Failure:
    """The failure of an answer whose HTTP status is neither good nor one that can pass."""
    return Failure(HTTP_ERROR, f"HTTP {answer.status}", odd=True)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > LARGEST:
            raise Failure(TOO_LARGE, f"more than {LARGEST:,} bytes")
    return bytes(body)


def _retry_after(value: str | None) -> float | None:
    """Seconds, from a number of them or an HTTP date (RFC 9110, 10.2.3); None when there is neither."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
