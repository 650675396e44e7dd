"""The server: sockets, slow clients, and the end on a signal."""

import asyncio
import ipaddress
import logging
import re
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from pipeline.data.names import quote
from pipeline.data.photo import PhotoFile
from pipeline.errors import InputError, SettingError
from pipeline.recommend.service.app import build_app
from pipeline.recommend.service.guard import HEADERS, Guard, refusal
from pipeline.recommend.service.limits import Limits
from pipeline.recommend.service.service import Service

if TYPE_CHECKING:
    from pipeline.recommend.recommender import Recommender

log = logging.getLogger(__name__)
protocol_log = logging.getLogger(f"{__name__}.protocol")
"""The log of failures below the application, in connections and in HTTP."""

NAME = "suggestions"
"""The name of the server, where HTTP's library would give its own with its version."""

CLIENTS_FAULTS = (HttpProcessingError, ConnectionError, web.RequestPayloadError)

TOKEN = re.compile(r"[0-9A-Za-z_-]{16,}")
HOST = re.compile(r"[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*|[0-9A-Fa-f:]+")
"""Names and addresses of hosts as requests have them, without a port."""


@dataclass(frozen=True)
class Address:
    """The place where the service listens, and the secret that its clients know."""

    host: str = "127.0.0.1"
    """A name or address of this machine."""
    port: int = 8765
    """A port; 0 takes a free one."""
    token: str | None = None
    """The secret of the API; None makes one, for this machine only."""
    names: Collection[str] = ()
    """Further host names under which clients know the service."""
    proxy_remedy: str = "start the service with the host name that clients use"
    """The remedy for one without names that a proxy forwards to."""

    @property
    def local(self) -> bool:
        """True when other machines cannot reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def private(self) -> bool:
        """True when only this machine uses it: other host names are those of a proxy, which others reach."""
        return self.local and not self.names

    def check(self) -> None:
        """Raises SettingError for an address open to all, a token that is easily guessed, and a name of no host."""
        if self.token is None and not self.local:
            raise SettingError("token", f"is missing; {self.host!r} can be reached from other machines, so choose one.")
        if self.token is not None and not TOKEN.fullmatch(self.token):
            raise SettingError(
                "token", f"has {len(self.token)} characters; it must have 16 or more: letters, digits, '-' and '_'."
            )
        for name in self.names:
            if not HOST.fullmatch(name):
                raise SettingError(
                    "name",
                    f"is {quote(name)}; it must be a host's name alone, such as photos.example.org: without a scheme, "
                    "port or path, and one with accents as browsers send it (xn--…).",
                )


async def serve(
    recommender: "Recommender",
    journal: Path,
    address: Address,
    limits: Limits,
    on_start: Callable[[str], None],
    examples: Sequence[PhotoFile] = (),
) -> None:
    """Serves a recommender until SIGTERM or SIGINT; then ends what is under way.

    on_start: is called with the page's address once the service listens.
    examples: JPEG files that the page offers to try suggestions on.

    Raises what `running` raises.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(recommender, journal, address, limits, examples) as url:
        on_start(url)
        await stop.wait()
        log.info("Stopping: requests under way are answered first.")


@asynccontextmanager
async def running(
    recommender: "Recommender", journal: Path, address: Address, limits: Limits, examples: Sequence[PhotoFile] = ()
) -> AsyncIterator[str]:
    """Listens while the block runs, and yields the page's address; at its end requests under way are answered.

    Raises SettingError for an unsafe address, and InputError when it cannot listen there or the journal is none.
    """
    address.check()
    token = address.token or secrets.token_urlsafe(24)
    guard = Guard(token, [*address.names, *_own_names(address)], address.local, address.proxy_remedy)
    service = Service.open(recommender, journal, limits, examples)
    # The page is open to everyone who can reach it: only where that is this machine alone does it hold the token.
    app = build_app(service, guard, token if address.private else None)
    runner = web.AppRunner(app, shutdown_timeout=limits.drain_seconds)
    await runner.setup()
    try:
        server = await _listen(runner, address, limits)
        port = server.sockets[0].getsockname()[1]
        host = f"[{address.host}]" if ":" in address.host else address.host
        yield f"http://{host}:{port}/" + ("" if address.private else f"#token={token}")
        server.close()
    finally:
        await runner.cleanup()


def _own_names(address: Address) -> list[str]:
    return [] if address.local else [address.host, socket.gethostname(), socket.getfqdn()]


def _is_server_failure(record: logging.LogRecord) -> bool:
    """Drops records of clients that disconnect or send invalid HTTP, each of which would be a traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], CLIENTS_FAULTS))


protocol_log.addFilter(_is_server_failure)


async def _listen(runner: web.AppRunner, address: Address, limits: Limits) -> asyncio.Server:
    """Listens with as many connections as may be open; the others are closed at once."""

    loop, accepted = asyncio.get_running_loop(), 0  # Accepted, and not yet among the server's connections.

    def accept() -> asyncio.BaseProtocol:
        nonlocal accepted
        if len(runner.server.connections) + accepted >= limits.connections:
            return _Closed()
        accepted += 1
        loop.call_soon(begin)  # Right before asyncio's own call, by which the server counts it.
        return _Connection(
            runner.server,
            loop=loop,
            access_log=None,
            logger=protocol_log,
            keepalive_timeout=limits.idle_seconds,
            lingering_time=1.0,
        )

    def begin() -> None:
        nonlocal accepted
        accepted -= 1

    try:
        return await loop.create_server(accept, address.host, address.port)
    except OSError as error:
        raise InputError(
            f"The service cannot listen on {address.host}:{address.port} ({error.strerror or error}): choose another "
            "port."
        ) from error


class _Connection(web.RequestHandler):
    """A connection whose answer to invalid HTTP is like the others: it quotes nothing, and names no versions."""

    __slots__ = ()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, web.HTTPExpectationFailed):  # Raised outside of the middlewares.
            resp = refusal(web.HTTPExpectationFailed, "The header Expect can only be 100-continue.")
            resp.force_close()
        return await super().finish_response(request, resp, start_time)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        super().handle_error(request, status, exc, message)  # It logs.
        sentence = "This is not valid HTTP." if status < 500 else "The service failed on this request."
        answer = web.json_response({"error": sentence}, status=status, headers=HEADERS | {"Server": NAME})
        answer.force_close()
        return answer


class _Closed(asyncio.Protocol):
    """A connection that is one too many."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        transport.abort()
