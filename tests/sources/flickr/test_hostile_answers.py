"""Whatever a server answers is an outcome of the crawl, never a traceback."""

import asyncio
import copy
import gzip
import json
import zlib
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline.errors import CredentialError, InputError
from pipeline.sources.flickr import host, pictures
from pipeline.sources.flickr.answers import as_flag, as_number, as_text
from pipeline.sources.flickr.api import FlickrApi, PhotoInfo
from pipeline.sources.flickr.host import Host, Manners, Visit, session
from pipeline.sources.flickr.outcome import TOO_LARGE, Failure, Oddity, Refusal, Unusable
from tests.support.fake_flickr import KEY, FakePhoto, info_answer
from tests.support.hostile import JSON, Answering, places, replaced
from tests.support.serving import serving

PHOTO = "4769690133"
ANSWER = info_answer(PHOTO, FakePhoto())
LOCATIONS = [
    f"/1/{PHOTO}_b.jpg",
    f"https://live.staticflickr.com/1/{PHOTO}_b.jpg",
    "http://[",
    "//",
    "http://live.staticflickr.com:99999/",
    "\ud800",
    "..//" * 50,
]
"""Addresses that a picture's request may be redirected to."""


def called(answer: object, method: str, final: dict[str, str]) -> object:
    """Calls any method of the API. Returns the answer's `people`, or the error that a crawl knows."""
    api = FlickrApi(Answering(json.dumps(answer).encode()), SecretStr(KEY))
    try:
        return asyncio.run(api.call(method, {"user_id": "1@N00"}, lambda value: value["people"], Visit(), final))
    except (Failure, Refusal, InputError) as error:
        return error


def outcome(answer: object) -> PhotoInfo | Exception:
    """Asks for the photo's info. Returns it, or the error that a crawl knows."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    try:
        return asyncio.run(FlickrApi(Answering(body), SecretStr(KEY)).get_info(PHOTO, Visit()))
    except (Failure, Refusal, InputError) as error:
        assert len(str(error)) < 200
        return error


def check(answer: object) -> None:
    info = outcome(answer)
    if isinstance(info, PhotoInfo):
        assert PhotoInfo.model_validate_json(info.model_dump_json()) == info
        assert info.owner
        assert all(author and tag for author, tag in info.tags)


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(list(places(ANSWER))), new=JSON)
def test_any_json_in_the_place_of_any_value_is_an_outcome(path, new):
    check(replaced(ANSWER, path, new))


@settings(max_examples=200, deadline=None)
@given(code=JSON)
def test_any_code_of_a_failure_is_an_outcome(code):
    assert isinstance(outcome({"stat": "fail", "code": code, "message": KEY}), Exception)


@settings(max_examples=100, deadline=None)
@given(
    body=st.binary(max_size=50) | st.sampled_from([b"[" * 100_000, b'{"stat":' * 50_000, b"9" * 10_000, b"\xff\xfe{}"])
)
def test_any_bytes_are_an_outcome(body):
    check(body)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"stat": "fail", "code": 1}, Failure),
        ({"stat": "fail", "code": "1"}, Failure),
        ({"stat": "fail", "code": 2}, Oddity),
        ({"stat": "fail", "code": 105}, Refusal),
        ({"stat": "fail", "code": 100}, CredentialError),
        ({"stat": "fail"}, Oddity),
        ({"stat": 7}, Oddity),
        ([], Oddity),
    ],
)
def test_each_method_has_its_own_final_codes(answer, expected):
    assert called({"stat": "ok", "people": 7}, "flickr.people.getPhotos", {"1": "no such user"}) == 7
    assert isinstance(called(answer, "flickr.people.getPhotos", {"1": "no such user"}), expected)


@pytest.mark.real
def test_any_json_in_the_place_of_any_value_of_a_real_answer_is_an_outcome(real_data):
    answer = json.loads((real_data / "flickr/getInfo_4769690133.json").read_text())
    for path in places(answer):
        for new in (None, True, -1, 10**4000, float("inf"), float("nan"), "", "\ud800", [], [[]], {}, {"tag": None}):
            check(replaced(answer, path, new))


@pytest.mark.parametrize(
    ("changed", "tags"),
    [
        ({"author": None}, ["sea"]),
        ({"author": 7}, ["sea", "sky"]),
        ({"_content": 2010}, ["2010", "sea"]),
        ({"_content": "  "}, ["sea"]),
        ({"_content": {"a": 1}}, ["sea"]),
        ({"machine_tag": "0"}, ["sea", "sky"]),
        ({"machine_tag": False}, ["sea", "sky"]),
        ({"machine_tag": "1"}, ["sea"]),
        ({"machine_tag": float("inf")}, ["sea"]),
        ({"machine_tag": float("nan")}, ["sea"]),
        ({"machine_tag": None}, ["sea"]),
    ],
)
def test_an_odd_tag_costs_the_photo_no_other(changed, tags):
    answer = copy.deepcopy(ANSWER)
    answer["photo"]["tags"]["tag"][1] |= changed
    assert sorted(tag for _, tag in outcome(answer).tags) == tags


@pytest.mark.parametrize("odd", [None, 7, "sky", [], [[]]])
def test_what_is_no_tag_at_all_costs_the_photo_no_other(odd):
    answer = copy.deepcopy(ANSWER)
    answer["photo"]["tags"]["tag"].append(odd)
    assert [tag for _, tag in outcome(answer).tags] == ["sea", "sky"]


def test_a_boolean_is_no_number():
    """JSON's true was read as photo 1."""
    assert [as_text(True), as_number(True), as_text(7), as_number("7")] == ["", None, "7", 7]
    assert [as_flag(True), as_flag("1"), as_flag(0), as_flag("no")] == [True, True, False, None]


def test_a_long_code_is_not_repeated():
    error = outcome({"stat": "fail", "code": 10**4000})
    assert isinstance(error, Unusable)
    assert str(error) == "failure without a code"


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    status=st.sampled_from([200, 204, 206, 301, 302, 304, 307, 400, 404, 418, 429, 503]),
    location=st.text(max_size=40) | st.sampled_from(LOCATIONS),
    body=st.binary(max_size=20) | st.just(b"\xff\xd8\xff"),
)
def test_any_answer_to_a_request_for_a_picture_is_an_outcome(status, location, body):
    host = Answering(body, status, {"Location": location})
    try:
        assert asyncio.run(pictures.fetch(host, f"/1/{PHOTO}_a.jpg", PHOTO, Visit())) == body
    except (Failure, Refusal) as error:
        assert len(str(error)) < 200


@given(value=st.text() | st.integers(0).map(str) | st.integers(0, 500).map(lambda digits: "9" * digits))
def test_any_retry_after_is_seconds_or_none(value):
    seconds = host._retry_after(value)
    assert seconds is None or 0 <= seconds <= host.YEAR


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("9" * 400, host.YEAR),
        ("Fri, 31 Dec 9999 23:59:59 GMT", host.YEAR),
        ("Mon, 01 Jan 0001 00:00:00 +1400", 0),
        ("Fri, 31 Dec 99999999999999999 23:59:59 GMT", None),
        ("Fri, 31 Dec 2020 23:59:59 -0000", 0),
    ],
)
def test_a_retry_after_of_another_age(value, seconds):
    assert host._retry_after(value) == seconds


def response(headers: str, body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode() + body


RAW = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "an odd status": b"HTTP/1.1 9999999999 Odd\r\n\r\n",
    "an endless header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    "a header without a name": response(": x", b""),
    "a negative length": response("Content-Length: -1", b""),
    "a length of 400 digits": response("Content-Length: " + "9" * 400, b"x"),
    "a broken chunk": response("Transfer-Encoding: chunked", b"zz\r\nabc\r\n"),
    "no gzip": response("Content-Encoding: gzip\r\nContent-Length: 4", b"abcd"),
    "gzip cut short": response("Content-Encoding: gzip\r\nConnection: close", gzip.compress(b"a" * 5000)[:30]),
    "no deflate": response("Content-Encoding: deflate\r\nContent-Length: 4", b"\xff\xff\xff\xff"),
    "an unknown encoding": response("Content-Encoding: br\r\nContent-Length: 4", b"\x00\x01\x02\x03"),
    "a cookie that is none": response('Set-Cookie: "\x01=;;;\r\nContent-Length: 8\r\nConnection: close', b"not JSON"),
}


def asked(raw: bytes) -> Exception:
    """Asks a server that sends these bytes. Returns the error."""

    class Handler(BaseRequestHandler):
        def handle(self):
            self.request.recv(65536)
            self.request.sendall(raw)

    async def ask(url: str) -> None:
        async with session(1, 2.0, None) as http:
            asking = Host(http, url, Manners(1000, 1, 0.0, 60))
            await FlickrApi(asking, SecretStr(KEY)).get_info(PHOTO, Visit())

    with serving(ThreadingTCPServer(("127.0.0.1", 0), Handler)) as server, pytest.raises((Failure, Refusal)) as caught:
        asyncio.run(ask(f"http://127.0.0.1:{server.server_address[1]}/"))
    assert KEY not in repr(caught.value)
    return caught.value


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW.keys())
def test_any_bytes_on_the_wire_are_an_outcome(raw):
    asked(raw)


def test_a_body_that_grows_when_it_is_unpacked_is_not_read_to_its_end():
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    error = asked(response(f"Content-Encoding: gzip\r\nContent-Length: {len(bomb)}", bomb))
    assert isinstance(error, Failure)
    assert error.status == TOO_LARGE
