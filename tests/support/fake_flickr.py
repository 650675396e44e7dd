"""A Flickr on loopback: a real HTTP server that answers like the real one, on good and on bad days.

The API is at `<url>/services/rest/`, pictures at `<url>/photos/<server>/<id>_<secret>.jpg`. A photo's replies are taken
in order, one a request; after the last it answers well, or, when the last is "…", stays in the one before it.
"""

import io
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from tests.support import fake_lists
from tests.support.fake_lists import FakeList

KEY = "0123456789abcdef0123456789abcdef"
EVERY_CALL = ("api_key", "format", "nojsoncallback", "extras")
"""Arguments that say nothing of what is asked for."""
SERVER, SECRET = "4123", "818406d0cd"


def jpeg(seed: int, width: int = 64, height: int = 48) -> bytes:
    """A small picture, another for each seed."""
    buffer = io.BytesIO()
    colour = (seed * 37 % 256, seed * 101 % 256, seed * 197 % 256)
    Image.new("RGB", (width, height), colour).save(buffer, "JPEG")
    return buffer.getvalue()


@dataclass
class FakePhoto:
    """A photo as Flickr knows it, and its replies: those of the API, and those of the image host."""

    owner: str = "1@N00"
    tags: tuple[str, ...] = ("sea", "sky")
    picture: bytes = b""
    api: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    uploaded: int = 1278473496
    """The time of its upload, in seconds since 1970."""
    taken: str = "2010-07-06 20:31:36"
    listed: Mapping[str, object] = field(default_factory=dict)
    """Fields of it in a list, in place of the usual ones."""


@dataclass
class FakeFlickr:
    """The server's state: photos by id, what it was asked (kind, photo), and when."""

    photos: Mapping[int, FakePhoto]
    lists: dict[str, FakeList] = field(default_factory=dict)
    """Users and groups by their ids."""
    between_pages: Callable[[], None] = lambda: None
    """Called after each page of a list, which the world need not wait for."""
    url: str = ""
    asked: Counter = field(default_factory=Counter)
    calls: Counter = field(default_factory=Counter)
    """The calls that asked for lists, each as its sorted arguments."""
    turns: Counter = field(default_factory=Counter)
    times: list[tuple[str, float]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    headers: dict[str, str] = field(default_factory=dict)
    """The headers of all requests, by name."""
    answered: Counter = field(default_factory=Counter)
    elsewhere: str = "http://169.254.169.254"
    unavailable: bytes = b""
    down: set[str] = field(default_factory=set)
    """The hosts, "api" and "image", that answer 503 to whatever is asked."""
    walls: dict[str, str] = field(default_factory=dict)
    """The reply of a wall before a host, "api" or "image", to whatever is asked."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def api_url(self) -> str:
        return f"{self.url}/services/rest/"

    @property
    def photo_url(self) -> str:
        return f"{self.url}/photos"

    def reply(self, kind: str, photo: int) -> str:
        """Returns the reply to this request, which is counted."""
        if kind in self.down:
            return "503"
        if kind in self.walls:
            return self.walls[kind]
        with self.lock:
            turn = self.asked[kind, photo]
            self.asked[kind, photo] += 1
            self.times.append((kind, time.monotonic()))
        return _reply_at(getattr(self.photos[photo], kind), turn)

    def list_reply(self, query: Mapping[str, str], replies: tuple[str, ...]) -> str:
        """Returns the reply to a call that asks for a list, which is counted."""
        if "api" in self.down:
            return "503"
        asked = tuple(sorted((name, value) for name, value in query.items() if name not in EVERY_CALL))
        with self.lock:
            self.calls[asked] += 1
            turn = self.turns[replies]
            self.turns[replies] += 1
        return self.walls.get("api") or _reply_at(replies, turn)


def _reply_at(replies: tuple[str, ...], turn: int) -> str:
    if replies and replies[-1] == "…":
        replies = replies[:-1]
        turn = min(turn, len(replies) - 1)
    return replies[turn] if turn < len(replies) else "good"


def info_answer(photo: str, known: FakePhoto) -> dict[str, Any]:
    """Makes the answer of getInfo for a photo."""
    return {
        "stat": "ok",
        "photo": {
            "id": photo,
            "secret": SECRET,
            "server": SERVER,
            "owner": {"nsid": known.owner, "username": "<b>\u202eHostile\u0000", "realname": ""},
            "title": {"_content": "'; DROP TABLE photo; -- <script>alert(1)</script> ../../../etc/passwd"},
            "dates": {"posted": "1278473496"},
            "tags": {"tag": [_tag(known.owner, tag) for tag in known.tags]},
        },
    }


@contextmanager
def serving(photos: Mapping[int, FakePhoto], lists: Mapping[str, FakeList] | None = None, url_of: str = "127.0.0.1"):
    """A running server for these photos, users and groups."""
    fake = FakeFlickr(photos, dict(lists or {}))
    handler = type("Handler", (_Handler,), {"fake": fake})
    server = _Server((url_of, 0), handler)
    fake.url = f"http://{url_of}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that was killed is not news."""


class _Handler(BaseHTTPRequestHandler):
    fake: FakeFlickr
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        """Nothing: the tests look at what was asked."""

    def do_GET(self):
        parts = urlsplit(self.path)
        self.fake.agents.add(self.headers["User-Agent"])
        self.fake.headers |= self.headers
        if parts.path == "/services/rest/":
            self._api({name: values[0] for name, values in parse_qs(parts.query).items()})
        elif parts.path.startswith("/photos/"):
            self._picture(parts.path)
        else:
            self._send(404, b"nothing here")

    def _api(self, query: dict[str, str]):
        if "photo_id" not in query and query["api_key"] == KEY:
            return self._list(query)
        photo = int(query.get("photo_id", 0))
        expected = {"method": "flickr.photos.getInfo", "format": "json", "nojsoncallback": "1"}
        if query["api_key"] != KEY or expected.items() - query.items() or photo not in self.fake.photos:
            code = 100 if query["api_key"] != KEY else 1
            return self._json({"stat": "fail", "code": code, "message": f"Invalid API Key {query['api_key']}"})
        reply = self.fake.reply("api", photo)
        known = self.fake.photos[photo]
        answer = info_answer(str(photo), known)
        photo_answer = answer["photo"]
        match reply.split():
            case ["good"]:
                with self.fake.lock:
                    self.fake.answered["api", photo] += 1
                return self._json(answer)
            case ["fail", code]:
                return self._json({"stat": "fail", "code": int(code), "message": f"for {query['api_key']}"})
            case ["hostile"]:
                odd = ["", " ", "a\x00b", "x" * 300, "\ud800", "line\nbreak", "ok", "海"]
                photo_answer["tags"]["tag"] += [_tag(known.owner, tag) for tag in odd]
                photo_answer["tags"]["tag"] += [
                    _tag("2@N00", "stranger"),
                    _tag(known.owner, "geo:lat=5", machine_tag=1),
                ]
                return self._json(answer)
            case ["traversal"]:
                photo_answer["server"] = "../../admin"
                return self._json(answer)
            case ["another"]:
                photo_answer["id"] = "1"
                return self._json(answer)
            case ["ownerless"]:
                del photo_answer["owner"]
                return self._json(answer)
            case ["infinite"]:
                photo_answer["tags"]["tag"] += [_tag(known.owner, "endless", machine_tag=float("inf"))]
                return self._json(answer)
            case ["array"]:
                return self._json([1, 2])
            case ["html"]:
                return self._send(200, b"<html>Bad, bad panda!</html>", "text/html")
            case _:
                return self._common(reply, json.dumps(answer).encode())

    def _list(self, query: dict[str, str]):
        """Answers a method of lists. Each call is counted by all that it asks for."""
        found = fake_lists.find(self.fake.lists, query)
        reply = self.fake.list_reply(query, self.fake.lists[found].replies if found and "page" in query else ())
        match reply.split():
            case ["good"]:
                self._json(fake_lists.answer(self.fake.photos, self.fake.lists, query))
                self.fake.between_pages()
            case ["html"]:
                self._send(200, b"<html>Bad, bad panda!</html>", "text/html")
            case _:
                self._common(reply, b"{}")

    def _picture(self, path: str):
        name = path.rpartition("/")[2]
        photo = int(name.partition("_")[0])
        if photo not in self.fake.photos:
            return self._send(404, b"")
        reply = self.fake.reply("image", photo)
        good = self.fake.photos[photo].picture or jpeg(photo)
        match reply.split():
            case ["good"]:
                with self.fake.lock:
                    self.fake.answered["image", photo] += 1
                return self._send(200, good, "image/jpeg")
            case ["wrong-type"]:
                return self._send(200, good, "text/html")
            case ["html"]:
                return self._send(200, b"<html>no picture</html>", "image/jpeg")
            case ["empty"]:
                return self._send(200, b"", "image/jpeg")
            case ["cut"]:
                return self._send(200, good[: len(good) // 2], "image/jpeg")
            case ["tiny"]:
                return self._send(200, jpeg(photo, 16, 16), "image/jpeg")
            case ["unavailable"]:
                return self._send(200, self.fake.unavailable, "image/gif")
            case ["redirect", "unavailable"]:
                return self._redirect("https://s.yimg.example/pw/images/en-us/photo_unavailable.png")
            case ["redirect", "placeholder"]:
                return self._redirect("/photos/gone/unavailable_v2.gif")
            case ["redirect", "flickr"]:
                return self._redirect(f"https://live.staticflickr.com{path.removeprefix('/photos')}")
            case ["redirect", "here"]:
                return self._redirect(path)
            case ["redirect", "elsewhere"]:
                return self._redirect(f"{self.fake.elsewhere}/latest/meta-data/")
            case ["redirect", "file"]:
                return self._redirect("file:///etc/passwd")
            case _:
                return self._common(reply, good)

    def _common(self, reply: str, good: bytes):
        match reply.split():
            case ["reset"]:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
            case ["hangup"]:
                self.close_connection = True
            case ["truncated"]:
                self.send_response(200)
                self.send_header("Content-Length", str(len(good)))
                self.end_headers()
                self.wfile.write(good[: len(good) // 2])
                self.close_connection = True
            case ["slow"]:
                self.send_response(200)
                self.send_header("Content-Length", str(len(good)))
                self.end_headers()
                for start in range(20):
                    self.wfile.write(good[start : start + 1])
                    time.sleep(0.1)
                self.close_connection = True
            case ["redirect", "loopback"]:
                self._redirect("http://127.0.0.1:1/")
            case [status, *retry_after]:
                self._send(int(status), b"", retry_after=" ".join(retry_after))

    def _json(self, value: object):
        self._send(200, json.dumps(value).encode(), "application/json")

    def _redirect(self, location: str):
        self.send_response(302)
        self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status: int, body: bytes, kind: str = "text/plain", retry_after: str | None = None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)


def _tag(author: str, tag: str, machine_tag: int = 0) -> dict[str, object]:
    return {"author": author, "raw": tag, "_content": tag, "machine_tag": machine_tag}
