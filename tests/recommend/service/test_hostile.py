"""Hostile requests: each is refused or harmless, the service stays up, and nothing is written but what was accepted."""

import gzip
import io
import json
import socket
import struct
import time
import zipfile
import zlib

import pytest
from PIL import Image

from pipeline.keywords.metadata import FLAT
from pipeline.keywords.packet import read
from pipeline.recommend.service.journal import Journal
from pipeline.recommend.service.server import Address
from tests.support.fake_recommender import FakeRecommender, photo_of
from tests.support.service import BEARER, TOKEN, form, hash_of, request_of, running_service, wait_until

RED = photo_of("red")
FILE = 'Content-Disposition: form-data; name="photo"; filename="a.jpg"'
COUNT = 'Content-Disposition: form-data; name="count"'
FORM = {"Content-Type": "multipart/form-data; boundary=b", **BEARER}
JSON = {"Content-Type": "application/json", **BEARER}
SMALL = {"photo_bytes": 100_000, "pixels": 1_000_000, "photos": 4, "fields": 12, "json_bytes": 20_000}


def png_of(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG whose header has any size that one likes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", data or zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


def text_bomb() -> bytes:
    """A PNG with a compressed text of 100 MB."""
    text = b"zTXt" + b"a\0\0" + zlib.compress(bytes(100_000_000), 9)
    plain = png_of(64, 64, zlib.compress(bytes(64 * (64 * 3 + 1))))
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return plain[:33] + chunk + plain[33:]


def frames() -> bytes:
    """An animation."""
    buffer = io.BytesIO()
    first, *others = [Image.new("P", (64, 64), number) for number in range(50)]
    first.save(buffer, "GIF", save_all=True, append_images=others)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(1_000_000))
    return buffer.getvalue()


def upload(photo: bytes, headers: str = FILE) -> bytes:
    return request_of("POST", "/api/suggest", FORM, form((headers, photo)))


def as_json(path: str, value: object) -> bytes:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return request_of("POST", path, JSON, body)


def post(**fields: object) -> bytes:
    return as_json("/api/posts", {"id": "abcdefgh", "user": "ann", "photo": hash_of(RED), "tags": ["red"], **fields})


def get(path: str, **headers: str | None) -> bytes:
    return request_of("GET", path, {**BEARER, **{name.replace("_", "-"): value for name, value in headers.items()}})


TWO_LENGTHS = request_of("POST", "/api/posts", {**JSON, "X: 1\r\nContent-Length": "40"}, b"{}")
CHUNKED = {**JSON, "Transfer-Encoding": "chunked"}
POST_HEADERS = {**JSON, "Content-Length": "2"}
DEEP = b'{"tags":' + b"[" * 9_000 + b"]" * 9_000 + b"}"

REFUSED = {
    # Who asks.
    "no token": (request_of("GET", "/api/users", {}), 401),
    "wrong token": (get("/api/users", Authorization="Bearer " + "x" * 17), 401),
    "part of the token": (get("/api/users", Authorization=f"Bearer {TOKEN[:-1]}"), 401),
    "token and more": (get("/api/users", Authorization=f"Bearer {TOKEN}x"), 401),
    "token of another scheme": (get("/api/users", Authorization=f"Basic {TOKEN}"), 401),
    "token in the address": (request_of("GET", f"/api/users?token={TOKEN}", {}), 401),
    "token in a cookie": (request_of("GET", "/api/users", {"Cookie": f"token={TOKEN}"}), 401),
    "token of other letters": (get("/api/users", Authorization="Bearer é\udcff"), 401),
    "no token for a post": (request_of("POST", "/api/posts", {"Content-Type": "application/json"}, b"{}"), 401),
    "no token for a photo": (request_of("POST", "/api/suggest", {**FORM, "Authorization": ""}, form((FILE, RED))), 401),
    "rebinding: a name of the attacker's": (get("/api/users", Host="evil.example"), 421),
    "rebinding: with the port": (get("/", Host="evil.example:8765"), 421),
    "rebinding: a name that begins like ours": (get("/", Host="localhost.evil.example"), 421),
    "rebinding: a name that begins like our address": (get("/", Host="127.0.0.1.evil.example"), 421),
    "rebinding: our name as a user": (get("/", Host="localhost@evil.example"), 421),
    "rebinding: another machine's address": (get("/", Host="192.168.1.7"), 421),
    "rebinding: every address": (get("/", Host="0.0.0.0"), 421),
    "an empty host": (get("/", Host=""), 421),
    "a host with a path": (get("/", Host="localhost/../evil"), 421),
    "cross-site: origin": (get("/api/users", Origin="https://evil.example"), 403),
    "cross-site: origin null": (get("/api/users", Origin="null"), 403),
    "cross-site: another port of this machine": (get("/api/users", Origin="http://127.0.0.1:3000"), 403),
    "cross-site: the browser's word": (get("/api/users", Sec_Fetch_Site="cross-site"), 403),
    "cross-site: another port, the browser's word": (get("/api/users", Sec_Fetch_Site="same-site"), 403),
    "cross-site: a form": (
        request_of("POST", "/api/posts", {"Content-Type": "text/plain", "Origin": "https://evil.example"}, b"{}"),
        403,
    ),
    "cross-site: a question before the request": (
        request_of("OPTIONS", "/api/posts", {"Origin": "https://evil.example", "Sec-Fetch-Mode": "cors"}),
        403,
    ),
    # Paths.
    "traversal": (get("/../../etc/passwd"), 404),
    "traversal, encoded": (get("/%2e%2e/%2e%2e/etc/passwd"), 404),
    "traversal, encoded slashes": (get("/..%2f..%2fetc%2fpasswd"), 404),
    "traversal, backslashes": (get("/..\\..\\journal.sqlite"), 404),
    "traversal among photos": (get("/api/photos/..%2f..%2fjournal.sqlite"), 404),
    "a photo by a name that is not a hash": (get("/api/photos/" + "A" * 64), 404),
    "code of the page's folder": (get("/__init__.py"), 404),
    "an absolute address": (get("http://evil.example/"), 421),
    "no such method": (get("/api/users").replace(b"GET", b"BREW", 1), 400),
    "a method that reveals headers": (get("/api/users").replace(b"GET", b"TRACE", 1), 405),
    "a tunnel": (request_of("CONNECT", "evil.example:443", BEARER), None),
    # HTTP itself.
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 5 + b"\r\n\r\n", 400),
    "an endless line": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 400),
    "an endless header": (get("/", X_A="a" * 20_000), 400),
    "thousands of headers": (request_of("GET", "/", {f"X-{number}": "a" for number in range(5_000)}), 400),
    "two lengths": (
        request_of("POST", "/api/posts", JSON, b"{}").replace(b"\r\n\r\n", b"\r\nContent-Length: 40\r\n\r\n", 1),
        400,
    ),
    "a length and chunks": (
        request_of("POST", "/api/posts", {**JSON, "Transfer-Encoding": "chunked"}, b"0\r\n\r\n"),
        400,
    ),
    "a negative length": (request_of("POST", "/api/posts", {**JSON, "Content-Length": "-1"}, b""), 400),
    "a line break in a header": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", 400),
    "a compressed bomb": (
        request_of("POST", "/api/posts", {**JSON, "Content-Encoding": "gzip"}, gzip.compress(bytes(10_000_000))),
        415,
    ),
    # Forms.
    "no form": (request_of("POST", "/api/suggest", {**FORM, "Content-Type": "text/plain"}, RED), 415),
    "no boundary": (request_of("POST", "/api/suggest", {**FORM, "Content-Type": "multipart/form-data"}, RED), 400),
    "a charset that is none": (
        request_of(
            "POST", "/api/suggest", FORM, form(('Content-Disposition: form-data; name="_charset_"', b"x" * 100))
        ),
        400,
    ),
    "another boundary": (request_of("POST", "/api/suggest", FORM, form((FILE, RED), boundary="c")), 400),
    "an empty form": (request_of("POST", "/api/suggest", FORM, b""), 400),
    "a form without a photo": (upload(b"ann", 'Content-Disposition: form-data; name="user"'), 400),
    "a form cut short": (request_of("POST", "/api/suggest", FORM, form((FILE, RED))[:200]), 400),
    "a part without a name": (upload(RED, "Content-Type: image/jpeg"), 400),
    "a part with parts": (
        upload(RED, 'Content-Type: multipart/mixed; boundary=c\r\nContent-Disposition: form-data; name="photo"'),
        400,
    ),
    "a photo in another field": (upload(RED, FILE.replace("photo", "file")), 400),
    "an unknown field": (
        request_of("POST", "/api/suggest", FORM, form((FILE, RED), ('Content-Disposition: form-data; name="x"', b"1"))),
        422,
    ),
    "too large a photo": (upload(bytes(SMALL["photo_bytes"] + 1)), 413),
    "too many photos": (request_of("POST", "/api/suggest", FORM, form(*[(FILE, RED)] * 5)), 413),
    "too many fields": (
        request_of("POST", "/api/suggest", FORM, form(*[('Content-Disposition: form-data; name="given"', b"a")] * 13)),
        413,
    ),
    "too long a field": (upload(bytes(5_000), 'Content-Disposition: form-data; name="user"'), 413),
    "a field of other letters": (upload(b"\xff\xfe", 'Content-Disposition: form-data; name="user"'), 400),
    "an endless part header": (upload(RED, FILE + "\r\nX: " + "a" * 20_000), 400),
    "a count that is not a number": (
        request_of("POST", "/api/suggest", FORM, form((FILE, RED), (COUNT, b"1e9"))),
        422,
    ),
    "more suggestions than there may be": (
        request_of("POST", "/api/suggest", FORM, form((FILE, RED), (COUNT, b"101"))),
        422,
    ),
    # JSON.
    "no JSON": (as_json("/api/posts", b"{"), 422),
    "another type": (as_json("/api/posts", b"[]"), 422),
    "deeply nested": (as_json("/api/posts", DEEP), 422),
    "too large": (as_json("/api/posts", b" " * 20_001), 413),
    "JSON as a form": (request_of("POST", "/api/posts", FORM, form((FILE, RED))), 415),
    "an unknown key": (post(admin=True), 422),
    "a missing key": (as_json("/api/posts", {"id": "abcdefgh"}), 422),
    "a user that is a list": (post(user=["ann"]), 422),
    "an empty user": (post(user="  "), 422),
    "a user with a control character": (post(user="ann\r\nSet-Cookie: a"), 422),
    **{f"a user without a letter: {name!r}": (post(user=name), 422) for name in ("\u200b", "\ufeff", "\U000e0001")},
    **{
        f"a tag without a letter: {tag!r}": (post(tags=[tag]), 422)
        for tag in ("\u200b", "\ufffe", "\U0001ffff", "\u200d")
    },
    "an endless user": (post(user="a" * 256), 422),
    "half a character": (as_json("/api/posts", json.dumps({"user": "\ud800"}).encode()), 422),
    "a zero in a tag": (post(tags=["a\0b"]), 422),
    "a line separator in a tag": (post(tags=["a\u2028b"]), 422),
    "a flood of tags": (post(tags=[str(number) for number in range(101)]), 422),
    "an id that is a path": (post(id="../../../../x"), 422),
    "a photo that is a path": (post(photo="../../../../etc/passwd"), 422),
    "a photo that is an address": (post(photo="http://169.254.169.254/latest"), 422),
    "a probability that is not a number": (post(shown=[{"tag": "a", "probability": float("nan")}]), 422),
    "SQL in a photo": (post(photo="' OR 1=1; DROP TABLE post; --"), 422),
    "a photo that nobody sent": (post(photo="0" * 64), 404),
    "an export of another kind": (as_json("/api/export", {"user": "ann", "format": "../../x"}), 422),
    "a question for too many photos": (as_json("/api/suggest", {"photos": ["0" * 64] * 65}), 422),
}

NO_PHOTO = {
    "text": (b"hello", "not an image"),
    "nothing": (b"", "not an image"),
    "a page": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "not an image"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n(/etc/passwd) (r) file\n", "not an image"),
    "a zip": (zipped(), "not an image"),
    "a format that is not on the list": (photo_of("red", format="PPM"), "not an image"),
    "a JPEG cut short": (RED[: len(RED) // 2], "undecodable"),
    "a JPEG with its middle gone": (RED[:200] + bytes(200) + RED[400:], None),
    "a bomb: 60,000 × 60,000 pixels": (png_of(60_000, 60_000), "too large"),
    "a bomb: one pixel line too many": (png_of(1000, 1001), "too large"),
    "a bomb: 2³¹ pixels wide": (png_of(2**31 - 1, 1), None),
    "a bomb of text": (text_bomb(), None),
    "a header without pixels": (png_of(0, 0), None),
    "one pixel": (photo_of("red", (1, 1)), "too small"),
    "an animation": (frames(), None),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A service that is still itself when all requests have been made."""
    folder = tmp_path_factory.mktemp("hostile")
    with running_service(FakeRecommender(), folder, **SMALL) as client:
        client.suggest(RED)
        yield client
        assert client.tags_for(RED, count=1) == [["red"]]
        with Journal.open(client.journal) as journal:
            assert journal.posts() == []


def check_unharmed(service) -> None:
    assert service.raw(get("/healthz")).endswith(b'{"status": "ok"}')
    files = {path.name for path in service.journal.parent.rglob("*")}
    assert files == {"journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "journal.sqlite-lock"}


def test_there_are_many():
    assert len(REFUSED) + len(NO_PHOTO) >= 60


def test_this_machine_is_known_by_its_address_in_ip6(service):
    assert service.raw(request_of("GET", "/healthz", {"Host": "[::1]:8801"})).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_request_is_refused(service, name):
    request, status = REFUSED[name]
    answer = service.raw(request)
    head, _, body = answer.partition(b"\r\n\r\n")
    if status is not None:
        assert head.split(b" ")[1] == str(status).encode(), answer
    assert not head.startswith(b"HTTP/1.1 2")
    assert b"Traceback" not in body
    assert b"pipeline" not in body
    check_unharmed(service)


@pytest.mark.parametrize("name", NO_PHOTO)
def test_a_hostile_file_is_no_photo(service, name):
    data, reason = NO_PHOTO[name]
    (answer,) = service.suggest(data).json()["photos"]
    if reason is not None:
        assert (answer["error"], answer["suggestions"]) == (reason, [])
    check_unharmed(service)


@pytest.mark.parametrize(
    "filename",
    ["../../../../tmp/x.jpg", "/etc/passwd", "C:\\x.jpg", "a\0b.jpg", "a" * 3000, "<img src=x onerror=alert(1)>", ""],
)
def test_a_hostile_file_name_is_not_used(service, filename):
    body = form((f'Content-Disposition: form-data; name="photo"; filename="{filename}"', RED))
    answer = service.raw(request_of("POST", "/api/suggest", FORM, body))
    assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400")), answer
    check_unharmed(service)


@pytest.mark.parametrize(
    "name", ["filename*=utf-8''%ff%fe.jpg", "filename*=UTF-8''a.jpg", 'FileName*0="a"', "filename*=x"]
)
@pytest.mark.filterwarnings("error")
def test_a_file_name_that_cannot_be_decoded_loses_no_photo_and_is_not_printed(service, capfd, name):
    photo = RED + bytes(5_000)
    answer = service.raw(upload(photo, f'Content-Disposition: form-data; name="photo"; {name}'))
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (post(tags=["a"] * 101), "tags must be a list of at most 100 entries."),
        (post(user=3), "user must be text."),
        (post(user="  "), "user: it has 0 visible characters; it must have 1 to 255."),
        (post(name="a" * 256), "name must be text of at most 255 characters."),
        (post(admin=True), "admin is not a known field."),
        (as_json("/api/posts", b"{"), "The request is not valid JSON."),
        (as_json("/api/posts", b"[]"), "The request must be an object."),
        (as_json("/api/posts", {"id": "abcdefgh"}), "user is missing."),
        (as_json("/api/suggest", {"photos": []}), "photos must be a list that is not empty."),
        (as_json("/api/export", {"user": "ann", "format": "x"}), "format must be text of the form ^(csv|sidecars)$."),
        (request_of("POST", "/api/suggest", FORM, form((FILE, RED), (COUNT, b"1e9"))), "count must be a whole number."),
        (request_of("POST", "/api/suggest", FORM, form((FILE, RED), (COUNT, b"101"))), "count must be at most 100."),
    ],
)
def test_what_is_refused_has_plain_words(service, request_, words):
    assert json.loads(service.raw(request_).partition(b"\r\n\r\n")[2]) == {"error": words}


@pytest.mark.parametrize("request_line", [b"GET / HTTP/9.x\r\n\r\n", b"\x16\x03\x01 secret\r\n\r\n"])
def test_what_is_no_http_has_an_answer_that_quotes_nothing_and_names_no_versions(service, request_line):
    head, _, body = service.raw(request_line).partition(b"\r\n\r\n")
    assert b" 400 " in head.splitlines()[0]
    assert b"Server: suggestions\r\n" in head + b"\r\n"
    assert b"Content-Type: application/json" in head
    assert b"X-Content-Type-Options: nosniff" in head
    assert json.loads(body) == {"error": "This is not valid HTTP."}


COMPRESSED = [{"Content-Encoding": "gzip"}, {"Content-Encoding": "identity\r\nContent-Encoding: gzip"}]
AN_EXPECTATION = {"Expect": "secret", "Connection": "keep-alive"}


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        *[(each, form((FILE, RED)), 415) for each in COMPRESSED],
        *[({**each, "Authorization": "Bearer none"}, form((FILE, RED)), 415) for each in COMPRESSED],
        ({"Content-Encoding": "gzip\r\nContent-Encoding: identity"}, gzip.compress(form((FILE, RED))), 415),
        (AN_EXPECTATION, b"", 417),
    ],
)
@pytest.mark.parametrize("path", ["/api/suggest", "/none"])
def test_what_is_refused_by_its_headers_ends_the_connection_and_is_not_logged(
    service, caplog, headers, body, status, path
):
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as connection:
        connection.sendall(request_of("POST", path, {**FORM, **headers}, body))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Type: application/json" in head
    assert list(json.loads(body)) == ["error"]
    assert b"secret" not in answer
    check_unharmed(service)
    assert caplog.text == ""


def test_the_page_holds_the_token_where_this_machine_alone_can_see_it(tmp_path):
    for number, (address, held) in enumerate(
        [
            (Address(port=0, token=TOKEN), True),
            (Address(port=0, token=TOKEN, names=["photos.example"]), False),
            (Address(host="0.0.0.0", port=0, token=TOKEN), False),
        ]
    ):
        with running_service(FakeRecommender(), tmp_path / str(number), address) as client:
            page = client.raw(request_of("GET", "/", {"Host": "photos.example" if address.names else "127.0.0.1"}))
            assert page.startswith(b"HTTP/1.1 200")
            assert (TOKEN.encode() in page) == held
            assert client.raw(get("/", Host="evil.example")).startswith(b"HTTP/1.1 421")


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded: for=192.0.2.1",
        "X-Forwarded-For: 192.0.2.1",
        "x-forwarded-proto: https",
        "X-Original-Forwarded-For: 192.0.2.1",
        "X-Real-IP: ::1",
        "Via: 1.1 proxy",
        "X-Client-IP: 192.0.2.1",
        "X-Cluster-Client-IP: 192.0.2.1",
        "True-Client-IP: 192.0.2.1",
        "CF-Connecting-IP: 192.0.2.1",
        "x-azure-clientip: 192.0.2.1",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/users"])
def test_a_proxy_gets_no_token_where_the_service_expects_none(tmp_path, path, header):
    """A proxy that gives our own name as Host, as nginx does, makes everybody look like this machine."""
    request = get(path).replace(b"\r\n\r\n", b"\r\n" + header.encode() + b"\r\n\r\n")
    for number, names in enumerate([[], ["photos.example"]]):
        address = Address(port=0, token=TOKEN, names=names)
        with running_service(FakeRecommender(), tmp_path / str(number), address) as client:
            answer = client.raw(request)
            assert answer.startswith(b"HTTP/1.1 200" if names else b"HTTP/1.1 403")
            assert (b"A proxy forwards this request: start the service with" in answer) == (not names)
            assert TOKEN.encode() not in answer


def test_a_proxy_that_speaks_http_1_0_gets_no_token_either(tmp_path):
    """So does nginx that knows our address alone: it sends no header of its own, and our name as Host."""
    request = get("/").replace(b"HTTP/1.1", b"HTTP/1.0")
    for number, names in enumerate([[], ["photos.example"]]):
        address = Address(port=0, token=TOKEN, names=names)
        with running_service(FakeRecommender(), tmp_path / str(number), address) as client:
            answer = client.raw(request)
            assert answer.startswith(b"HTTP/1.0 200" if names else b"HTTP/1.0 403")
            assert TOKEN.encode() not in answer


def test_the_encoding_that_changes_nothing_may_be_named_in_any_case(service):
    body = form((FILE, RED))
    for coding in ("identity", "IDENTITY", "identity, Identity"):
        answer = service.raw(request_of("POST", "/api/suggest", {**FORM, "Content-Encoding": coding}, body))
        assert answer.startswith(b"HTTP/1.1 200"), answer


def test_hostile_tags_come_back_as_they_are_and_as_json(tmp_path):
    tags = [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "=cmd()",
        "'; DROP TABLE post; --",
        "{{7*7}}",
    ]
    with running_service(FakeRecommender(), tmp_path) as client:
        client.suggest(RED)
        assert client.accept(RED, tags).status_code == 201
        answer = client.get("api/tags", params={"q": "", "user": "ann"})
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert {each["tag"] for each in answer.json()["tags"]} >= set(tags)
        with Journal.open(client.journal) as journal:
            assert set(journal.posts()[0].tags) == set(tags)


def test_every_tag_that_is_accepted_is_one_that_sidecars_hold(tmp_path):
    tags = ["a\ufdd0b", "\u200bsea", "sea", "\u202eabc", "👩\u200d🚀", "می\u200cخواهم"]
    with running_service(FakeRecommender(), tmp_path) as client:
        client.suggest(RED)
        assert client.accept(RED, tags).status_code == 201
        with Journal.open(client.journal) as journal:
            (post,) = journal.posts()
        answer = client.post("api/export", json={"user": "ann", "format": "sidecars"})
    kept = ("ab", "sea", "abc", "👩\u200d🚀", "می\u200cخواهم")
    assert post.tags == kept
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert read(archive.read(archive.namelist()[0])).keywords[FLAT] == [*kept]


def test_a_flood_fills_the_journal_to_its_bound_and_no_further(tmp_path):
    with running_service(FakeRecommender(), tmp_path, journal_bytes=150_000) as client:
        client.suggest(RED)
        answers = [client.accept(RED, [f"{number} " + "x" * 240] * 50).status_code for number in range(3)]
        statuses = [client.accept(RED, [f"{n} {m} " + "x" * 240 for m in range(90)]).status_code for n in range(20)]
        assert answers[0] == 201
        assert statuses[-1] == 507
        assert client.journal.stat().st_size <= 150_000
        assert client.suggest(RED).status_code == 200


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        request_of("POST", "/api/suggest", FORM, form((FILE, RED)))[:400],
        request_of("POST", "/api/posts", POST_HEADERS, b""),
    ],
    ids=["silent", "in the headers", "in a photo", "in a body"],
)
def test_a_slow_client_is_dropped(tmp_path, begin):
    with (
        running_service(FakeRecommender(), tmp_path, idle_seconds=0.4) as client,
        socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection,
    ):
        connection.sendall(begin)
        start = time.monotonic()
        while connection.recv(65536):
            pass
        assert time.monotonic() - start < 5
        assert client.suggest(RED).status_code == 200


def test_a_client_that_sends_a_byte_now_and_then_is_dropped(tmp_path):
    with (
        running_service(FakeRecommender(), tmp_path, idle_seconds=1, upload_seconds=0.5) as client,
        socket.create_connection(("127.0.0.1", client.port), timeout=0.05) as connection,
    ):
        connection.sendall(request_of("POST", "/api/suggest", FORM, form((FILE, RED)))[:350])
        start, received = time.monotonic(), b""
        while time.monotonic() - start < 5 and not received:
            connection.sendall(b"x")
            try:
                received = connection.recv(65536)
            except TimeoutError:
                continue
        assert received.startswith(b"HTTP/1.1 408")


def test_more_connections_than_there_may_be_are_closed(tmp_path):
    with running_service(FakeRecommender(), tmp_path, connections=5) as client:
        opened = [socket.create_connection(("127.0.0.1", client.port), timeout=5) for _ in range(8)]
        closed = []
        for connection in opened[5:]:
            try:
                closed.append(connection.recv(1))
            except ConnectionResetError:
                closed.append(b"")
        assert closed == [b""] * 3
        for connection in opened:
            connection.close()
        wait_until(lambda: client.raw(get("/healthz")).startswith(b"HTTP/1.1 200"))


def test_uploads_together_have_a_bound(tmp_path):
    with running_service(FakeRecommender(), tmp_path, uploading_bytes=10_000) as client:
        halves = []
        for _ in range(2):
            connection = socket.create_connection(("127.0.0.1", client.port), timeout=5)
            connection.sendall(request_of("POST", "/api/suggest", FORM, form((FILE, bytes(20_000))))[:5_000])
            halves.append(connection)
        time.sleep(0.2)
        for connection in halves:  # A part's bytes count once more of it comes.
            connection.sendall(bytes(50))
        wait_until(lambda: client.suggest(bytes(9_000)).status_code == 503)
        for connection in halves:
            connection.close()
        wait_until(lambda: client.suggest(bytes(9_000)).status_code == 200)


def test_a_client_that_leaves_gives_its_bytes_back(tmp_path):
    with running_service(FakeRecommender(seconds=0.05), tmp_path, uploading_bytes=3 * len(RED)) as client:
        for number in range(20):
            photo = photo_of((number, 0, 0))
            with socket.create_connection(("127.0.0.1", client.port), timeout=5) as connection:
                connection.sendall(upload(photo))
        wait_until(lambda: client.suggest(RED).status_code == 200)
        wait_until(lambda: "recommender_waiting_photos 0" in client.get("metrics").text)
        assert client.suggest(RED, RED).status_code == 200


@pytest.mark.parametrize("reset", [False, True])
def test_clients_that_disconnect_or_send_no_http_are_not_logged(tmp_path, caplog, reset):
    begun = request_of("POST", "/api/posts", {**JSON, "Content-Length": "500"}, b"{")
    with running_service(FakeRecommender(), tmp_path) as client:
        for request in (begun, b"no HTTP\r\n\r\n", request_of("GET", "/é", BEARER)):
            with socket.create_connection(("127.0.0.1", client.port), timeout=5) as connection:
                connection.sendall(request)
                if reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif request is not begun:
                    connection.recv(1)
        assert client.get("healthz").status_code == 200
    assert caplog.text == ""
