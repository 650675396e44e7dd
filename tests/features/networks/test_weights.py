"""Downloads: checked, whole or not there, and plain about a missing network."""

import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from pipeline.errors import InputError, SettingError
from pipeline.features.config import WeightsFile
from pipeline.features.hashes import checked_sha256
from pipeline.features.networks.weights import downloaded
from tests.support.serving import serving

PATH = "/weights/net-0123.pth"
CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SHA512 = hashlib.sha512(CONTENT).hexdigest()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """Where torch keeps downloads, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return tmp_path / "hub" / "checkpoints"


class Site(ThreadingHTTPServer):
    """A site that gives a `body`, with a `status` and a `header`, and notes what it is `asked` for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.url = f"http://127.0.0.1:{self.server_port}{PATH}"
        self.asked: list[str] = []
        self.status, self.header, self.body = 200, ("Content-Length", str(len(CONTENT))), CONTENT


class _Answer(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.send_header(*self.server.header)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site()) as server:
        yield server


@pytest.mark.parametrize("expected", [SHA256, SHA256[:8]])
def test_a_file_is_fetched_once(folder: Path, site: Site, expected: str):
    assert downloaded(site.url, expected) == (folder / "net-0123.pth", SHA256)
    assert downloaded(site.url, expected) == (folder / "net-0123.pth", SHA256)
    assert site.asked == [PATH]


def test_a_file_is_known_by_a_sha512_where_that_is_published(folder: Path, site: Site):
    assert downloaded(site.url, SHA512) == (folder / "net-0123.pth", SHA256)
    (folder / "net-0123.pth").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"has the SHA-512 .*; that of .* is " + SHA512):
        downloaded(site.url, SHA512)
    assert site.asked == [PATH]


def test_another_file_than_the_published_one_is_not_kept(folder: Path, site: Site):
    with pytest.raises(InputError, match=f"{SHA256}.*net-0123.pth.*{'0' * 64}"):
        downloaded(site.url, "0" * 64)
    assert site.asked == [PATH]
    assert not list(folder.iterdir())


def test_a_file_that_somebody_put_there_is_checked(folder: Path, site: Site):
    folder.mkdir(parents=True)
    (folder / "net-0123.pth").write_bytes(b"something else")
    with pytest.raises(
        InputError, match=r"net-0123\.pth has the SHA-256 .*broken one\. Delete it to have it downloaded again\.$"
    ):
        downloaded(site.url, SHA256)
    assert not site.asked


@pytest.mark.usefixtures("folder")
def test_a_hash_that_nobody_published_is_told(site: Site, caplog):
    assert downloaded(site.url, None)[1] == SHA256
    assert SHA256 in caplog.text


@pytest.mark.parametrize("expected", [SHA256, None])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_that_breaks_off_is_not_kept(chunked: bool, expected: str | None, folder: Path, site: Site):
    whole = site.header, site.body
    if chunked:
        site.header, site.body = ("Transfer-Encoding", "chunked"), b"4\r\nweig\r\n"
    else:
        site.body = b"weig"
    with pytest.raises(InputError, match=r"net-0123\.pth cannot be downloaded .*: run again, "):
        downloaded(site.url, expected)
    assert not list(folder.iterdir())
    site.header, site.body = whole
    assert downloaded(site.url, expected)[1] == SHA256


def test_what_the_site_says_instead_of_a_file_is_not_kept(folder: Path, site: Site):
    site.status = 404
    with pytest.raises(InputError, match=r"net-0123\.pth cannot be downloaded \(the answer was 404 "):
        downloaded(site.url, None)
    assert not list(folder.iterdir())


def test_without_a_network_it_says_what_to_put_where(folder: Path):
    nowhere = f"http://127.0.0.1:9{PATH}"
    with pytest.raises(InputError) as error:
        downloaded(nowhere, SHA256)
    assert nowhere in str(error.value)
    assert str(folder / "net-0123.pth") in str(error.value)
    assert not list(folder.iterdir())


def test_a_file_of_ones_own_has_the_hash_that_is_given(tmp_path: Path):
    (tmp_path / "f").write_bytes(CONTENT)
    assert checked_sha256(tmp_path / "f", SHA256) == SHA256
    with pytest.raises(SettingError, match=f"sha256 is null; that of .*f is {SHA256}: set it if you trust"):
        checked_sha256(tmp_path / "f", None)
    with pytest.raises(SettingError, match=f"sha256 is {'0' * 64}; .*f has the SHA-256 {SHA256}"):
        checked_sha256(tmp_path / "f", "0" * 64)


def test_a_file_of_weights_is_named_by_the_field_at_fault(tmp_path: Path):
    (tmp_path / "f").write_bytes(CONTENT)
    weights = WeightsFile(kind="file", path=str(tmp_path / "f"), sha256=SHA256)
    assert weights.checked() == (tmp_path / "f", SHA256)
    for change, field in [
        ({"sha256": "0" * 64}, "weights.sha256"),
        ({"sha256": None}, "weights.sha256"),
        ({"path": str(tmp_path / "g")}, "weights.path"),
    ]:
        with pytest.raises(SettingError) as refused:
            weights.model_copy(update=change).checked()
        assert refused.value.field == field
    unset = WeightsFile.model_validate({"kind": "file", "path": str(tmp_path / "f"), "sha256": None})
    with pytest.raises(SettingError, match=rf"^weights\.sha256 is null; that of .*f is {SHA256}"):
        unset.checked()
