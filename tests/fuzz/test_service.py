"""Requests to the service with random changes: each has an answer in JSON, and the service keeps running."""

import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.photo import PhotoFile
from tests.support.fake_recommender import FakeRecommender, photo_of
from tests.support.fuzzing import damaged, fuzz, limited
from tests.support.hostile import JSON, places, replaced
from tests.support.service import BEARER, form, hash_of, request_of, running_service

RED = photo_of("red", (48, 32))
POST = {
    "id": "abcdefgh", "user": "ann", "photo": hash_of(RED), "name": "a.jpg", "tags": ["red"],
    "shown": [{"tag": "red", "probability": 0.5}],
}  # fmt: skip
RANK = {"photos": [hash_of(RED)], "user": "ann", "given": ["red"], "exclude": [], "count": 3}
EXPORT = {"user": "ann", "format": "csv", "posts": None}
BODIES = {"/api/posts": POST, "/api/suggest": RANK, "/api/export": EXPORT}
PATHS = [
    *BODIES, "/", "/app.js", "/api/users", "/api/tags", "/api/tags?q=r&user=ann", f"/api/photos/{hash_of(RED)}",
    "/api/examples/0", "/api/examples/999", "/api/about", "/api/openapi.json", "/healthz", "/metrics",
]  # fmt: skip
METHODS = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "CONNECT", "get", "X"]
ODD = st.sampled_from(
    ["", "*", "..", "/../x", "%00", "%ff", "%2e%2e%2f", "?q=%00", "?user=%ed%a0%80", "//x", "http://[", "é"]
)
HEADERS = {
    "Content-Type": [
        "application/json",
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=b",
        "é;",
        "",
    ],
    "Content-Length": ["0", "-1", "1e3", "99999999999999999999", "5", "٣"],
    "Transfer-Encoding": ["chunked", "gzip, chunked", "x"],
    "Content-Encoding": ["gzip", "identity"],
    "Expect": ["100-continue", "x"],
    "Range": ["bytes=0-1", "bytes=-", "x"],
    "Connection": ["close", "Upgrade"],
    "Upgrade": ["websocket", "h2c"],
    "Host": ["localhost", "localhost:99999", "[::1", "127.0.0.1:x", ""],
    "Origin": ["null", "http://127.0.0.1", "http://["],
    "Authorization": ["Bearer", "Bearer é", "Basic x"],
    "If-None-Match": ['"x"', "*"],
    "Cookie": ["a=b; c", "=" * 3000],
}
FIELD = st.sampled_from(["photo", "user", "count", "given", "exclude", "x", "", "é", 'a"b'])
PART = st.tuples(
    st.builds('Content-Disposition: form-data; name="{}"; filename="{}"'.format, FIELD, FIELD)
    | st.builds('Content-Disposition: form-data; name="{}"'.format, FIELD)
    | st.sampled_from(["", "Content-Disposition: x", "X: " + "y" * 9000, "Content-Type: multipart/mixed; boundary=c"]),
    st.sampled_from([RED, b"", b"ann", b"3", b"-1", b"1e9", b"\xff", b"\0", b"x" * 5000]) | damaged(RED),
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """The bytes of a request."""
    path = draw(st.sampled_from(PATHS))
    method, headers, body = "POST" if path in BODIES else "GET", {**BEARER, "Connection": "close"}, b""
    if path == "/api/suggest" and draw(st.booleans()):
        headers["Content-Type"], body = "multipart/form-data; boundary=b", form(*draw(st.lists(PART, max_size=4)))
    elif path in BODIES:
        value = BODIES[path]
        for _ in range(draw(st.integers(0, 2))):
            value = replaced(value, draw(st.sampled_from(list(places(value)))), draw(JSON))
        headers["Content-Type"], body = "application/json", json.dumps(value).encode()
    match draw(st.sampled_from(["as it is", "as it is", "head", "body", "bytes"])):
        case "head":
            name = draw(st.sampled_from(list(HEADERS)))
            headers[name] = draw(st.sampled_from(HEADERS[name]) | st.text(st.characters(codec="utf-8"), max_size=9))
            method, path = draw(st.sampled_from([method, *METHODS])), path + draw(ODD)
        case "body":
            body = draw(damaged(body))
        case "bytes":
            return draw(damaged(request_of(method, path, headers, body)))
    return request_of(method, path, headers, body)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    small = {"photo_bytes": 100_000, "pixels": 1_000_000, "photos": 4, "fields": 12, "json_bytes": 20_000}
    with running_service(FakeRecommender(), folder, examples=[PhotoFile("a.jpg", RED)], **small) as client:
        client.suggest(RED)
        yield client


@fuzz(150)
@given(request=requests())
def test_a_request_is_answered_and_the_service_keeps_running(service, request):
    failures = Failures()
    logging.getLogger().addHandler(failures)
    try:
        with limited():
            answer = service.raw(request, wait=0.3)
    finally:
        logging.getLogger().removeHandler(failures)
    assert failures.texts == [], failures.texts
    head, _, body = answer.partition(b"\r\n\r\n")
    if answer:  # There is none to a request that is cut off, or that asks for nothing.
        status = int(head.split()[1])
        assert status < 500 or status in (501, 503), answer
        if status >= 400 and body and b"application/json" in head:
            assert len(json.loads(body)["error"].splitlines()) == 1
    assert service.get("healthz").status_code == 200
    assert not Path("CANARY").exists()


class Failures(logging.Handler):
    """The failures that are logged."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a record's text."""
        self.texts.append(self.format(record))
