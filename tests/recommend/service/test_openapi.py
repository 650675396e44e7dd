"""The description of the API is what the handlers do: paths, summaries, messages, and the answers that they give."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from pydantic.json_schema import models_json_schema

from pipeline.data.photo import PhotoFile
from pipeline.recommend.service import handlers, messages
from pipeline.recommend.service.messages import (
    About,
    Acceptance,
    AcceptedPost,
    Completions,
    Export,
    People,
    Query,
    Rank,
    Refusal,
    Suggestions,
)
from tests.support.fake_recommender import FakeRecommender, photo_of
from tests.support.service import BEARER, hash_of, running_service

DOCUMENT = json.loads((Path(messages.__file__).parent / "openapi.json").read_text(encoding="utf-8"))
MESSAGES = (Suggestions, Query, Rank, AcceptedPost, Acceptance, People, Completions, About, Export, Refusal)
RED = photo_of("red")
POST = {"id": "abcdefgh", "user": "ann", "photo": hash_of(RED), "tags": ["red"]}
PHOTO = {"files": [("photo", ("a.jpg", RED))]}
REQUESTS = [
    ("post", "api/suggest", PHOTO, 200),
    ("post", "api/suggest", {"json": {"photos": [hash_of(RED)]}}, 200),
    ("post", "api/suggest", {"data": {"user": "ann"}, "files": {"x": b""}}, 400),
    ("post", "api/suggest", {"data": b"", "headers": {**BEARER, "Content-Type": "text/plain"}}, 415),
    ("post", "api/suggest", {**PHOTO, "data": {"count": "0"}}, 422),
    ("post", "api/posts", {"json": POST}, 201),
    ("post", "api/posts", {"json": POST}, 200),
    ("post", "api/posts", {"json": {**POST, "tags": ["blue"]}}, 409),
    ("post", "api/posts", {"json": {**POST, "id": "ijklmnop", "photo": "0" * 64}}, 404),
    ("post", "api/posts", {"json": {}}, 422),
    ("get", "api/users", {}, 200),
    ("get", "api/users", {"headers": {}}, 401),
    ("get", "api/users", {"headers": {**BEARER, "Origin": "https://evil.example"}}, 403),
    ("get", "api/users", {"headers": {**BEARER, "Host": "evil.example"}}, 421),
    ("get", "api/tags?q=r&user=ann", {}, 200),
    ("get", f"api/photos/{hash_of(RED)}", {}, 200),
    ("get", f"api/photos/{'0' * 64}", {}, 404),
    ("get", "api/examples/0", {}, 200),
    ("get", "api/examples/7", {}, 404),
    ("post", "api/export", {"json": {"user": "ann", "format": "csv"}}, 200),
    ("post", "api/export", {"json": {"user": "ann", "format": "exe"}}, 422),
    ("get", "api/about", {}, 200),
    ("get", "api/openapi.json", {}, 200),
    ("get", "healthz", {"headers": {}}, 200),
    ("get", "metrics", {"headers": {}}, 200),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with running_service(
        FakeRecommender(), tmp_path_factory.mktemp("openapi"), examples=[PhotoFile("a.jpg", RED)]
    ) as client:
        yield client


def described_path(route: str) -> str:
    """The path of a route without the forms of its parts."""
    return re.sub(r"\{(\w+):.*\}", r"{\1}", route)


def template(path: str) -> str:
    """The path under which a request is described."""
    plain = f"/{path.partition('?')[0]}"
    return re.sub(r"^(/api/photos)/.*", r"\1/{hash}", re.sub(r"^(/api/examples)/.*", r"\1/{number}", plain))


def test_every_handler_is_described_and_nothing_else():
    described = {(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    handled = {(route.method.lower(), described_path(route.path)) for route in handlers.routes}
    assert described == handled


def test_summaries_are_those_of_the_handlers():
    for route in handlers.routes:
        described = DOCUMENT["paths"][described_path(route.path)][route.method.lower()]
        assert described["summary"] == route.handler.__doc__


def test_messages_are_those_that_are_checked():
    _, schema = models_json_schema(
        [(message, "validation") for message in MESSAGES], ref_template="#/components/schemas/{model}"
    )
    assert DOCUMENT["components"]["schemas"] == schema["$defs"]


@pytest.mark.parametrize(("method", "path", "request_", "status"), REQUESTS)
def test_an_answer_is_as_described(client, method, path, request_, status):
    answer = getattr(client, method)(path, **request_)
    assert answer.status_code == status, answer.text
    described = DOCUMENT["paths"][template(path)][method]["responses"][str(status)]["content"]
    kind = answer.headers["Content-Type"].partition(";")[0]
    assert kind in described
    if kind == "application/json":
        schema = {"components": DOCUMENT["components"], **described[kind]["schema"]}
        jsonschema.validate(answer.json(), schema)
