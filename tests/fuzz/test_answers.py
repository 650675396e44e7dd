"""Arbitrary bytes in place of Flickr's answers: an outcome that a crawl handles, never a traceback."""

import asyncio
import gzip
import io
import json
import zlib
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import SecretStr

from pipeline.data.photo import PhotoError, prepare
from pipeline.errors import CredentialError
from pipeline.sources.flickr import pictures
from pipeline.sources.flickr.api import FlickrApi
from pipeline.sources.flickr.host import Host, Manners, Visit, session
from pipeline.sources.flickr.outcome import Failure, Refusal
from tests.support.fake_flickr import KEY, FakePhoto, info_answer
from tests.support.fuzzing import damaged, fuzz, limited
from tests.support.hostile import JSON, places, replaced
from tests.support.serving import serving

PHOTO = "4769690133"
ANSWER = info_answer(PHOTO, FakePhoto())
PLACES = list(places(ANSWER))
STATUSES = [
    *["200 OK"] * 6, "204 No", "206 Part", "301 Moved", "302 Found", "304 Same", "404 Gone", "429 Slow", "500 Odd",
    "503 Busy", "999 X", "é",
]  # fmt: skip
PACKINGS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": bytes, "identity": bytes, "x, gzip": bytes}
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Content-Length", "Transfer-Encoding", "Retry-After", "Location", "Set-Cookie", "X", "é", ""]),
        st.sampled_from(["0", "-1", "7", "9" * 400, "chunked", "Fri, 31 Dec 9999 23:59:59 GMT", "/", "http://[", "a=b"])
        | st.text(max_size=9),
    ),
    max_size=3,
)


def pictures_of_all_kinds() -> list[bytes]:
    """Small pictures in the formats of the web."""
    found = []
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF"):
        buffer = io.BytesIO()
        Image.linear_gradient("L").convert("RGB").resize((64, 48)).save(buffer, kind)
        found.append(buffer.getvalue())
    return found


BODIES = st.builds(replaced, st.just(ANSWER), st.sampled_from(PLACES), JSON).map(
    lambda value: json.dumps(value).encode()
)
PICTURES = st.sampled_from(pictures_of_all_kinds())


@st.composite
def answers(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """The bytes of an answer over HTTP."""
    body = draw(bodies.flatmap(lambda body: damaged(body) | st.just(body)))
    lines = [f"HTTP/1.1 {draw(st.sampled_from(STATUSES))}", "Connection: close"]
    if draw(st.booleans()):
        packing = draw(st.sampled_from(list(PACKINGS)))
        body = PACKINGS[packing](body)
        lines.append(f"Content-Encoding: {packing}")
    lines += [f"{name}: {value}" for name, value in draw(HEADERS)]
    answer = "\r\n".join([*lines, "\r\n"]).encode("utf-8", "replace") + body
    return draw(damaged(answer)) if draw(st.integers(0, 3)) == 0 else answer


@pytest.fixture(scope="module")
def flickr():
    """A server that sends the bytes it is given, and closes the connection."""

    class Handler(BaseRequestHandler):
        def handle(self):
            self.request.recv(65536)
            self.request.sendall(self.server.answer)

    with serving(ThreadingTCPServer(("127.0.0.1", 0), Handler)) as server:
        yield server


def ask(server: ThreadingTCPServer, answer: bytes, question) -> object:
    """Makes a request that gets this answer; returns None if the crawl finds it unusable."""
    server.answer = answer

    async def asking() -> object:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        async with session(1, 1.0, None) as http:
            return await question(Host(http, url, Manners(1000, 1, 0.0, 60)))

    try:
        with limited():
            return asyncio.run(asking())
    except (Failure, Refusal, CredentialError) as error:
        assert len(str(error)) < 200
        assert KEY not in str(error)
        return None


@fuzz(80)
@given(answer=answers(BODIES))
def test_an_answer_of_the_api_is_an_outcome(flickr, answer):
    info = ask(flickr, answer, lambda host: FlickrApi(host, SecretStr(KEY)).get_info(PHOTO, Visit()))
    assert info is None or (info.owner and all(author and tag for author, tag in info.tags))


@fuzz(80)
@given(answer=answers(PICTURES))
def test_a_picture_is_an_outcome(flickr, answer):
    data = ask(flickr, answer, lambda host: pictures.fetch(host, f"/1/{PHOTO}_a.jpg", PHOTO, Visit()))
    if data is None:
        return
    try:
        with limited():
            photo = prepare(PHOTO, data)
    except PhotoError as error:
        assert len(str(error)) < 200
    else:
        assert max(photo.width, photo.height) <= 500
