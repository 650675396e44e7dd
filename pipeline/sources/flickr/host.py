"""Polite requests to one host: a steady rate, retries of passing trouble, pauses when asked for, limited patience.

Errors raised here are in words of our own: those of the HTTP library can hold addresses, and addresses the API key.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp
from aiolimiter import AsyncLimiter
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from pipeline.proxy import proxy_for
from pipeline.sources.flickr.outcome import TOO_LARGE, Failure, LongPause, Oddity, Refusal, Stopped, Unreachable

T = TypeVar("T")

logger = logging.getLogger(__name__)

TRANSIENT = {408, 425, 429, *range(500, 600)}
"""HTTP statuses of transient trouble: a request too early or one too many, or a failure of the server."""
LARGEST = 32 * 1024**2
"""Bytes of a body that is read to its end, at most: a longer one is nothing we asked for."""
CONNECTING = 15.0
"""Seconds within which a connection must be established."""
LONGEST_WAIT = 60.0
"""Seconds between two attempts at the same thing, at most."""
LONGEST_PAUSE = 120.0
"""Seconds for which a host is left alone after refusals in a row, at most, unless it asks for more."""
LONGEST_RETRY_AFTER = 2 * 3600.0
"""Seconds that a host may ask us to wait; more is a LongPause. Flickr counts queries by the hour."""
YEAR = 365 * 86_400.0
"""Seconds to which any longer wait that a host asks for is cut."""
LOGGED_PAUSE = 10.0
"""Seconds of a pause that is worth a line in the log, at least."""
FIRST_REFUSALS = 5
"""Photos that a host may refuse before its first answer: the network is down, or the address wrong."""


@dataclass(frozen=True)
class Manners:
    """The limits of requests to a host."""

    rate: float
    """Requests a second, at most."""
    attempts: int
    """Requests for the same thing before it is put off."""
    backoff: float
    """Seconds before the second attempt, doubled for each further one, with jitter."""
    refusals: int
    """Photos that the host may refuse in a row before the crawl stops."""


@dataclass(frozen=True)
class Answer:
    """A complete HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Visit:
    """The requests made for one photo."""

    requests: int = 0
    """Their number so far."""
    host: "Host | None" = None
    """The host that was asked last."""


def session(in_flight: int, timeout: float, contact: str | None) -> aiohttp.ClientSession:
    """Opens an HTTP session that names the project, keeps no cookies, and sends no passwords.

    in_flight: connections at once. timeout: seconds for a request, body included. contact: an address for the host's
    questions.
    """
    agent = f"image-tag-recommendation/{version('image-tag-recommendation')} (research; {contact or 'no contact'})"
    return aiohttp.ClientSession(
        headers={"User-Agent": agent},
        timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, CONNECTING)),
        connector=aiohttp.TCPConnector(limit=in_flight),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,  # Each host looks up its proxy (see `proxy_for`); the environment's passwords are never sent.
    )


class Host:
    """The host behind one address. All requests share its rate and its pauses."""

    def __init__(self, session: aiohttp.ClientSession, url: str, manners: Manners):
        self.url = url
        self._session = session
        self._proxy = proxy_for(url)
        self._manners = manners
        # A bucket of one: requests are spread evenly, without bursts.
        self._limiter = AsyncLimiter(1, 1 / manners.rate)
        self._resume = 0.0
        self._in_a_row = 0
        self.has_answered = False
        """True from the first answer on, in this run."""

    @property
    def name(self) -> str:
        """The host's name and port."""
        return urlsplit(self.url).netloc

    async def get(
        self, url: str, judge: Callable[[Answer], T], visit: Visit, params: Mapping[str, str] | None = None
    ) -> T:
        """Requests a URL, and returns what `judge` makes of the answer.

        `judge` raises Failure or Refusal for an unusable answer. A Refusal (429, 5xx, a broken or slow connection) is
        retried, unless it is an Oddity, and raised when the attempts are used up. Raises LongPause when the host asks
        for a pause longer than `LONGEST_RETRY_AFTER`.
        """
        visit.host = self
        backoff = self._manners.backoff
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Refusal) & retry_if_not_exception_type(Oddity),
            stop=stop_after_attempt(self._manners.attempts),
            wait=wait_exponential_jitter(multiplier=backoff, max=LONGEST_WAIT, jitter=backoff),
            reraise=True,
        )
        try:
            result = await retrying(self._once, url, judge, visit, params)
        except Failure:
            self._answered()
            raise
        self._answered()
        return result

    def refused(self, refusal: Refusal) -> None:
        """Counts a refusal that is the host's fault, and leaves the host alone for a while.

        Raises Stopped when it was one too many in a row, or the host wants a pause longer than a crawl waits.
        """
        if isinstance(refusal, LongPause):
            raise Stopped(f"{self.name} asks us to come back in {refusal.seconds / 3600:,.1f} hours: run again then.")
        self._in_a_row += 1
        if not self.has_answered and self._in_a_row >= min(FIRST_REFUSALS, self._manners.refusals):
            raise Stopped(
                f"{self.name} has given no usable answer (last: {refusal.reason}): check the network and the address "
                f"{self.url}, then run again."
            )
        if self._in_a_row >= self._manners.refusals:
            raise Stopped(
                f"{self.name} refused {self._in_a_row} times in a row (last: {refusal.reason}): run again later; all "
                "that was done is kept."
            )
        self._pause(min(LONGEST_PAUSE, self._manners.backoff * 2 ** min(self._in_a_row, 20)))

    async def _once(self, url: str, judge: Callable[[Answer], T], visit: Visit, params: Mapping[str, str] | None) -> T:
        await self._turn()
        visit.requests += 1
        try:
            async with self._session.get(url, params=params, proxy=self._proxy, allow_redirects=False) as response:
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
        if answer.status in TRANSIENT:
            retry_after = _retry_after(answer.headers.get("Retry-After"))
            if retry_after is not None and retry_after > LONGEST_RETRY_AFTER:
                raise LongPause(f"HTTP {answer.status}", retry_after)
            self._pause(retry_after or 0.0)
            raise Refusal(f"HTTP {answer.status}")
        return judge(answer)

    async def _turn(self) -> None:
        """Waits until any pause is over and the rate allows the next request."""
        while True:
            while (pause := self._resume - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            await self._limiter.acquire()
            if self._resume <= time.monotonic():
                return

    def _pause(self, seconds: float) -> None:
        self._resume = max(self._resume, time.monotonic() + seconds)
        if seconds >= LOGGED_PAUSE:
            logger.info("%s is left alone for %.0f seconds", self.name, seconds)

    def _answered(self) -> None:
        self.has_answered, self._in_a_row = True, 0


def unexpected(answer: Answer) -> Oddity:
    """Returns the error for an answer whose HTTP status is neither good nor one that can pass."""
    return Oddity(f"HTTP {answer.status}")


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > LARGEST:
            raise Failure(TOO_LARGE, f"more than {LARGEST:,} bytes")
    return bytes(body)


def _retry_after(value: str | None) -> float | None:
    """Reads seconds from a number of them or an HTTP date (RFC 9110, 10.2.3); None when the value is neither."""
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), YEAR)
    try:
        date = parsedate_to_datetime(value)
        # A date without a time zone is one in UTC.
        seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), YEAR)
