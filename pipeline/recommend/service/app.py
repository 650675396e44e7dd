"""The web application: routes, the page, and the way from errors to answers."""

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from pipeline.errors import InputError
from pipeline.recommend.service.batches import BusyError
from pipeline.recommend.service.guard import Guard, add_headers, guarded, refusal
from pipeline.recommend.service.handlers import BUDGET, SERVICE, in_words, routes
from pipeline.recommend.service.journal import FullJournalError, OtherPostError
from pipeline.recommend.service.service import Service, UnknownPhotoError
from pipeline.recommend.service.uploads import Budget

log = logging.getLogger(__name__)

PAGE = Path(__file__).parent / "page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
RETRY_AFTER = {"Retry-After": "2"}
"""Seconds after which a client that was turned away may try again."""


def build_app(service: AbstractAsyncContextManager[Service], guard: Guard, token: str | None) -> web.Application:
    """Builds the application around a service, which opens with it.

    token: what the page hands in with its requests; None when the user has to give it.
    """
    app = web.Application(middlewares=[measured, guarded(guard), answered])
    app.on_response_prepare.append(add_headers)
    app.cleanup_ctx.append(_opened(service))
    app.add_routes(routes)
    app.router.add_get("/", _page("index.html", token))
    for file in sorted(PAGE.iterdir()):
        app.router.add_get(f"/{file.name}", _page(file.name, None))
    return app


def _opened(opening: AbstractAsyncContextManager[Service]) -> Callable[[web.Application], AsyncIterator[None]]:
    async def context(app: web.Application) -> AsyncIterator[None]:
        async with opening as service:
            app[SERVICE], app[BUDGET] = service, Budget(service.limits.uploading_bytes)
            yield

    return context


def _page(name: str, token: str | None) -> Handler:
    """Returns the handler of a file of the page."""
    text = (PAGE / name).read_text(encoding="utf-8")
    if token is not None:
        text = text.replace('<meta name="token" content="">', f'<meta name="token" content="{token}">')

    async def handler(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=TYPES[Path(name).suffix])

    return handler


@web.middleware
async def measured(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Counts requests and their seconds by the route, which no client can invent."""
    start, status = time.monotonic(), 500
    try:
        response = await handler(request)
        status = response.status
        return response
    except web.HTTPException as error:
        status = error.status
        raise
    finally:
        route = request.match_info.route.resource
        path = route.canonical if route is not None else "none"
        request.app[SERVICE].metrics.observe(path, status, time.monotonic() - start)


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns errors into answers: JSON with one sentence."""
    try:
        return await handler(request)
    except ValidationError as error:
        raise refusal(web.HTTPUnprocessableEntity, in_words(error)) from None
    except BusyError:
        raise refusal(web.HTTPServiceUnavailable, "The queue is full: try again.", headers=RETRY_AFTER) from None
    except UnknownPhotoError:
        raise refusal(web.HTTPNotFound, "This photo is not held: send it for suggestions first.") from None
    except OtherPostError as error:
        raise refusal(web.HTTPConflict, str(error)) from None
    except FullJournalError as error:
        raise refusal(web.HTTPInsufficientStorage, str(error)) from None
    except InputError as error:
        raise refusal(web.HTTPNotImplemented, str(error)) from None
    except web.HTTPException as error:
        if error.status < 400 or error.content_type == "application/json":
            raise
        raise refusal(type(error), f"{error.reason}.", **_allowed(error)) from None
    except ConnectionError:  # The client has left.
        raise
    except Exception:
        log.exception("A request failed")
        raise refusal(web.HTTPInternalServerError, "The service failed on this request.") from None


def _allowed(error: web.HTTPException) -> dict[str, object]:
    """Returns what aiohttp's exception for another method asks for."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return {"method": error.method, "allowed_methods": error.allowed_methods}
    return {}
