"""The handlers of the API, one for each method and path of openapi.json."""

import asyncio
from importlib.resources import files

from aiohttp import web
from pydantic import BaseModel, ValidationError

from pipeline.data.photo import FORMATS, VIDEO_FORMATS, PhotoError
from pipeline.data.schema import PHOTO, USER
from pipeline.expected import expected
from pipeline.recommend.service.guard import refusal
from pipeline.recommend.service.messages import (
    About,
    Acceptance,
    AcceptedPost,
    Completions,
    Export,
    KnownTag,
    People,
    Person,
    Query,
    Rank,
    SuggestedPhoto,
    Suggestions,
)
from pipeline.recommend.service.service import Service
from pipeline.recommend.service.uploads import Budget, Field, FormReader, Upload, read_json

SERVICE = web.AppKey("service", Service)
BUDGET = web.AppKey("budget", Budget)
LISTS = ("given", "exclude")
"""Fields of a form that may stand there several times."""
COMPLETIONS = 20

routes = web.RouteTableDef()


@routes.post("/api/suggest")
async def suggest(request: web.Request) -> web.Response:
    """Suggests tags for photos that are sent, or for photos that were sent before."""
    service = request.app[SERVICE]
    if request.content_type == "application/json":
        query = Rank.model_validate_json(await read_json(request, service.limits))
        return _answer(Suggestions(photos=await service.suggest(query.photos, query)))
    values, hashes, tasks = {}, [], []
    try:
        async for part in FormReader(request, service.limits, request.app[BUDGET]).parts():
            match part:
                case Upload(field=name) if name == PHOTO:
                    # The networks begin with it while later photos are still read.
                    hashes.append(part.hash)
                    tasks.append(asyncio.create_task(_outcome(service, part)))
                    tasks[-1].add_done_callback(part.settle)
                case Field(name=name) if name in LISTS:
                    values.setdefault(name, []).append(part.text)
                case Field(name=name):
                    values[name] = part.text
                case Upload(settle=settle):
                    settle()
                    raise refusal(web.HTTPBadRequest, f"Photos are sent in fields called {PHOTO!r}.")
        query = Query.model_validate(values, strict=False)
        if not tasks:
            raise refusal(web.HTTPBadRequest, "There is no photo in the form.")
        reasons = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    ranked = iter(
        await service.suggest([hash for hash, reason in zip(hashes, reasons, strict=True) if not reason], query)
    )
    answers = [
        SuggestedPhoto(hash=hash, error=reason) if reason else next(ranked)
        for hash, reason in zip(hashes, reasons, strict=True)
    ]
    return _answer(Suggestions(photos=answers))


async def _outcome(service: Service, upload: Upload) -> str | None:
    """Computes a photo's vectors. Returns the reason why it cannot be, if there is one."""
    try:
        await service.add(upload.data, upload.hash)
    except PhotoError as error:
        service.metrics.photos[error.reason] += 1
        return error.reason
    service.metrics.photos["suggested"] += 1
    return None


@routes.post("/api/posts")
async def accept(request: web.Request) -> web.Response:
    """Accepts a photo's tags: they are on the disk when this is answered, and learned from."""
    service = request.app[SERVICE]
    post = AcceptedPost.model_validate_json(await read_json(request, service.limits))
    new = await service.accept(post)
    return _answer(Acceptance(id=post.id, new=new), status=201 if new else 200)


@routes.get("/api/users")
async def users(request: web.Request) -> web.Response:
    """Lists the known users."""
    people = await request.app[SERVICE].users()
    return _answer(People(users=[Person(name=name, accepted=number) for name, number in people]))


@routes.get("/api/tags")
async def tags(request: web.Request) -> web.Response:
    """Completes a tag from a user's vocabulary, then from everyone's."""
    typed, user = request.query.get("q", ""), request.query.get(USER)
    found = await request.app[SERVICE].completions(typed, user, COMPLETIONS)
    return _answer(Completions(tags=[KnownTag(tag=tag, count=number) for tag, number in found]))


@routes.get("/api/photos/{hash:[0-9a-f]{64}}")
async def photo(request: web.Request) -> web.Response:
    """Returns a photo as the networks see it, for browsers that cannot show its format."""
    jpeg = await request.app[SERVICE].photo(request.match_info["hash"])
    return web.Response(body=jpeg, content_type="image/jpeg")


@routes.get(r"/api/examples/{number:\d{1,3}}")
async def example(request: web.Request) -> web.Response:
    """Returns the file of an example photo, by its place in the list."""
    examples, number = request.app[SERVICE].examples, int(request.match_info["number"])
    if number >= len(examples):
        raise refusal(web.HTTPNotFound, f"There are {len(examples)} examples.")
    return web.Response(body=examples[number].data, content_type="image/jpeg")


@routes.post("/api/export")
async def export(request: web.Request) -> web.Response:
    """Returns a user's accepted posts as a file."""
    service = request.app[SERVICE]
    wanted = Export.model_validate_json(await read_json(request, service.limits))
    body = await service.export(wanted)
    kind, name = ("text/csv", "tags.csv") if wanted.format == "csv" else ("application/zip", "sidecars.zip")
    return web.Response(body=body, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@routes.get("/api/about")
async def about(request: web.Request) -> web.Response:
    """Describes the service to its clients."""
    service = request.app[SERVICE]
    recommender = service.recommender
    return _answer(
        About(
            name=recommender.name,
            labels=list(recommender.labels),
            pictures=recommender.sees_pictures,
            tags=len(recommender.tags),
            formats=["JPEG", *FORMATS, *VIDEO_FORMATS],
            photo_bytes=service.limits.photo_bytes,
            pixels=service.limits.pixels,
            examples=[file.name for file in service.examples],
        )
    )


@routes.get("/api/openapi.json")
async def openapi(_: web.Request) -> web.Response:
    """Returns the description of this API."""
    return web.Response(
        body=files("pipeline.recommend.service").joinpath("openapi.json").read_bytes(), content_type="application/json"
    )


@routes.get("/healthz")
async def healthz(_: web.Request) -> web.Response:
    """Answers as long as the service does."""
    return web.json_response({"status": "ok"})


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    """Returns the service's metrics for Prometheus."""
    service = request.app[SERVICE]
    counters = {"batches": service.batches.batches, "batched_photos": service.batches.items}
    gauges = {"waiting_photos": service.batches.waiting, "held_bytes": service.photos.bytes}
    return web.Response(text=service.metrics.text(counters, gauges), content_type="text/plain")


def _answer(message: BaseModel, status: int = 200) -> web.Response:
    return web.Response(text=message.model_dump_json(), status=status, content_type="application/json")


def in_words(error: ValidationError) -> str:
    """Returns the first fault of a request as a sentence."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "The request"
    match first["type"]:
        case "json_invalid":
            return f"{where} is not valid JSON."
        case "model_type":
            return f"{where} must be an object."
        case "missing":
            return f"{where} is missing."
        case "extra_forbidden":
            return f"{where} is not a known field."
    words = expected(first)
    return f"{where} must be {words}." if words else f"{where}: {first['msg'].removeprefix('Value error, ')}."
