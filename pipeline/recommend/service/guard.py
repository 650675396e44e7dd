"""The guard: who may send requests, and what answers allow a browser to do."""

import hmac
import ipaddress
import json
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler

CSP = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
"""The page loads nothing from elsewhere, runs no text as code, and stands in no other page."""
HEADERS = {
    "Content-Security-Policy": CSP,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
PROTECTED = "/api/"
"""The paths that need the token. The page itself, its health and its metrics hold no personal data."""
FORWARDED = re.compile(
    "forwarded|x-(forwarded|original|envoy|arr)-.*|x-real-ip|via|x-proxy.*|cf-.*|cdn-loop|x-amzn-trace-id"
    "|.*(client|connecting|user|remote)-?(ip|addr)",
    re.IGNORECASE,
)
"""The headers by which proxies name themselves, or the client that they speak for."""


class Guard:
    """The checks that each request passes before its handler.

    token: the secret that every request to the API carries.
    names: host names under which the service may be addressed, apart from addresses and localhost.
    local: True when the service listens on this machine only.
    proxy_remedy: how to give the service a host name, for the answer to a proxy.

    A page of another site that resolves its own name to this address (DNS rebinding) carries that name as Host; a
    page that posts across sites carries its own Origin, and does not know the token.
    """

    def __init__(self, token: str, names: Collection[str] = (), local: bool = True, proxy_remedy: str = ""):
        self._proxy_remedy = proxy_remedy
        self._token, self._names, self._local = token.encode(), {name.lower() for name in names}, local

    def check(self, request: web.Request) -> None:
        """Raises the answer for a request that may not pass."""
        # First, whoever asks: to read the rest of such a request would be to unpack it.
        if any(coding.strip().lower() != "identity" for coding in _codings(request)):
            compressed = refusal(web.HTTPUnsupportedMediaType, "Compressed requests are not accepted.")
            compressed.force_close()
            raise compressed
        # A request line may name a host of its own, which then counts.
        if not self._knows(request.headers.get("Host", "")) or not self._knows(request.url.raw_authority):
            raise refusal(web.HTTPMisdirectedRequest, "This service does not answer to that host name.")
        # The page holds the token where no proxy is expected: through one, everybody would get it.
        if not self._names and _is_forwarded(request):
            raise refusal(web.HTTPForbidden, f"A proxy forwards this request: {self._proxy_remedy}.")
        if not _is_from_here(request):
            raise refusal(web.HTTPForbidden, "Another site's page may not use this service.")
        if request.path.startswith(PROTECTED) and not self._has_token(request):
            raise refusal(
                web.HTTPUnauthorized, "The token is missing or wrong.", headers={"WWW-Authenticate": "Bearer"}
            )

    def _knows(self, host: str) -> bool:
        name = (urlsplit(f"//{host}").hostname or "") if _is_authority(host) else ""
        if name in self._names or name == "localhost":
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._local

    def _has_token(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token.strip().encode("utf-8", "surrogateescape")
        return scheme.lower() == "bearer" and hmac.compare_digest(given, self._token)


def _is_forwarded(request: web.Request) -> bool:
    """Recognises a proxy by its headers, or by HTTP/1.0: nginx, unless it is set up otherwise, sends nothing else."""
    return request.version < HttpVersion11 or any(map(FORWARDED.fullmatch, request.headers))


def _is_authority(host: str) -> bool:
    """Accepts HOST or HOST:PORT, and nothing that a parser could read in two ways."""
    try:
        parts = urlsplit(f"//{host}")
        return parts.netloc == host and "@" not in host and not parts.path and (parts.port or 0) >= 0
    except ValueError:
        return False


def _codings(request: web.Request) -> list[str]:
    return [coding for header in request.headers.getall("Content-Encoding", ()) for coding in header.split(",")]


def _is_from_here(request: web.Request) -> bool:
    """Checks that the page that sends a request, if one does, is the service's own."""
    origin = request.headers.get("Origin")
    if origin is not None and origin not in (f"{scheme}://{request.headers['Host']}" for scheme in ("http", "https")):
        return False
    # A browser's word on it. Following a link from elsewhere to the page is fine.
    site = request.headers.get("Sec-Fetch-Site", "none")
    return site in ("none", "same-origin") or not request.path.startswith(PROTECTED)


def refusal(kind: type[web.HTTPError], message: str, **arguments: object) -> web.HTTPError:
    """Makes an error whose body is JSON with one sentence."""
    return kind(text=json.dumps({"error": message}), content_type="application/json", **arguments)


def guarded(guard: Guard) -> Handler:
    """Returns the middleware that lets pass what the guard does."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        guard.check(request)
        return await handler(request)

    return middleware


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Adds to every answer what it allows a browser to do."""
    response.headers.update(HEADERS)
    response.headers.pop("Server", None)  # Which versions run here is nobody's business.
