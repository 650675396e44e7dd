"""Downloads: checked, whole or not there, and plain about a missing network."""

import hashlib
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from pipeline.errors import InputError
from pipeline.vision.weights import check, downloaded, own

URL = "https://example.org/weights/net-0123.pth"
CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SHA512 = hashlib.sha512(CONTENT).hexdigest()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """Where torch keeps downloads, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def fetched(monkeypatch) -> list[str]:
    """The URLs that were asked for; each gives CONTENT."""
    asked = []

    def fetch(url: str, path: str) -> None:
        asked.append(url)
        Path(path).write_bytes(CONTENT)

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    return asked


@pytest.mark.parametrize("expected", [SHA256, SHA256[:8]])
def test_a_file_is_fetched_once(folder: Path, fetched: list[str], expected: str):
    assert downloaded(URL, expected) == (folder / "net-0123.pth", SHA256)
    assert downloaded(URL, expected) == (folder / "net-0123.pth", SHA256)
    assert fetched == [URL]


def test_a_file_is_known_by_a_sha512_where_that_is_published(folder: Path, fetched: list[str]):
    assert downloaded(URL, SHA512) == (folder / "net-0123.pth", SHA256)
    (folder / "net-0123.pth").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"has the SHA-512 .*; the published one is " + SHA512):
        downloaded(URL, SHA512)
    assert fetched == [URL]


def test_another_file_than_the_published_one_is_not_kept(folder: Path, fetched: list[str]):
    with pytest.raises(InputError, match=f"{SHA256}.*net-0123.pth.*{'0' * 64}"):
        downloaded(URL, "0" * 64)
    assert fetched == [URL]
    assert not list(folder.iterdir())


def test_a_file_that_somebody_put_there_is_checked(folder: Path, fetched: list[str]):
    folder.mkdir(parents=True)
    (folder / "net-0123.pth").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"net-0123\.pth has the SHA-256"):
        downloaded(URL, SHA256)
    assert not fetched


@pytest.mark.usefixtures("folder", "fetched")
def test_a_hash_that_nobody_published_is_told(caplog):
    assert downloaded(URL, None)[1] == SHA256
    assert SHA256 in caplog.text


def test_without_a_network_it_says_what_to_put_where(folder: Path, monkeypatch):
    def fail(*_: str) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(InputError) as error:
        downloaded(URL, SHA256)
    assert URL in str(error.value)
    assert str(folder / "net-0123.pth") in str(error.value)
    assert not list(folder.iterdir())


def test_a_file_of_ones_own_has_the_hash_that_is_given(tmp_path: Path):
    (tmp_path / "f").write_bytes(CONTENT)
    assert own(tmp_path / "f", SHA256, "objects.sha256") == SHA256
    with pytest.raises(InputError, match=f"objects.sha256 is null; that of .*f is {SHA256}: set it if you trust"):
        own(tmp_path / "f", None, "objects.sha256")
    with pytest.raises(InputError, match=f"{SHA256}; objects.sha256 is {'0' * 64}"):
        own(tmp_path / "f", "0" * 64, "objects.sha256")


def test_check_names_both_hashes_and_a_missing_file(tmp_path: Path):
    (tmp_path / "f").write_bytes(CONTENT)
    assert check(tmp_path / "f", SHA256, "image.weights.sha256") == SHA256
    with pytest.raises(InputError, match=f"{SHA256}; image.weights.sha256 is abc"):
        check(tmp_path / "f", "abc", "image.weights.sha256")
    with pytest.raises(InputError, match="does not exist"):
        check(tmp_path / "g", SHA256, "image.weights.sha256")
