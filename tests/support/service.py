"""The service on a free port of this machine, in a thread of its own, for as long as a test needs it."""

import asyncio
import hashlib
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import requests

from pipeline.data.photo import PhotoFile
from pipeline.recommend.service.limits import Limits
from pipeline.recommend.service.server import Address, running

TOKEN = "0123456789-abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@dataclass(frozen=True)
class Client:
    """A client of a service that listens at an address."""

    url: str
    journal: Path

    @property
    def port(self) -> int:
        return urlsplit(self.url).port

    def get(self, path: str, headers: Mapping[str, str] = BEARER, **arguments: Any) -> requests.Response:
        return requests.get(self.url + path, headers=headers, timeout=60, **arguments)

    def post(self, path: str, headers: Mapping[str, str] = BEARER, **arguments: Any) -> requests.Response:
        return requests.post(self.url + path, headers=headers, timeout=60, **arguments)

    def suggest(self, *photos: bytes, **fields: Any) -> requests.Response:
        return self.post("api/suggest", files=[("photo", ("a.jpg", photo)) for photo in photos], data=fields)

    def accept(self, photo: bytes, tags: Sequence[str], user: str = "ann", **fields: Any) -> requests.Response:
        post = {"id": str(uuid.uuid4()), "user": user, "photo": hash_of(photo), "tags": tags, **fields}
        return self.post("api/posts", json=post)

    def tags_for(self, *photos: bytes, **fields: Any) -> list[list[str]]:
        answer = self.suggest(*photos, **fields)
        assert answer.status_code == 200, answer.text
        return [[each["tag"] for each in photo["suggestions"]] for photo in answer.json()["photos"]]

    def raw(self, request: bytes, wait: float = 5.0) -> bytes:
        """Sends bytes as they are; returns all that comes back until the connection is closed or silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as connection:
            connection.sendall(request)
            received = b""
            try:
                while chunk := connection.recv(65536):
                    received += chunk
                    head, _, body = received.partition(b"\r\n\r\n")
                    if b"Content-Length: %d\r\n" % len(body) in head + b"\r\n":
                        break
            except (TimeoutError, ConnectionError):
                pass
            return received


def hash_of(photo: bytes) -> str:
    return hashlib.sha256(photo).hexdigest()


@contextmanager
def running_service(
    recommender: Any, folder: Path, address: Address | None = None, examples: Sequence[PhotoFile] = (), **limits: Any
) -> Iterator[Client]:
    """A service, and a client of it."""
    address = address or Address(port=0, token=TOKEN)
    journal = folder / "journal.sqlite"
    started, stop, found = Event(), [], []

    async def serve() -> None:
        end = asyncio.Event()
        stop.append((asyncio.get_running_loop(), end))
        async with running(recommender, journal, address, Limits(**limits), examples) as url:
            found.append(url)
            started.set()
            await end.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        finally:
            started.set()

    thread = Thread(target=run)
    thread.start()
    try:
        assert started.wait(60)
        assert found, "the service did not start"
        yield Client(found[0].partition("#")[0], journal)
    finally:
        loop, end = stop[0]
        if thread.is_alive():
            loop.call_soon_threadsafe(end.set)
        thread.join()


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    """Waits until a condition holds, and fails after some time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def form(*parts: tuple[str, bytes], boundary: str = "b") -> bytes:
    """The body of a form from the headers and the content of each part."""
    lines = [f"--{boundary}\r\n{headers}\r\n\r\n".encode() + content + b"\r\n" for headers, content in parts]
    return b"".join(lines) + f"--{boundary}--\r\n".encode()


def request_of(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """The bytes of a request; Host and the length of the body are added where they are missing."""
    headers = {"Host": "127.0.0.1", "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("utf-8", "surrogateescape") + body
