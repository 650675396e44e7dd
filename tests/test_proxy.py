"""The environment's proxies are heeded, its passwords are sent to nobody."""

import base64

import pytest

from pipeline.errors import InputError
from pipeline.features.networks.weights import downloaded
from pipeline.proxy import proxy_for
from tests.support.fake_flickr import FakePhoto, serving
from tests.support.flickr_crawl import crawl


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in (
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)


def test_passwords_in_netrc_are_not_sent(tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("default login ann password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serving({1: FakePhoto()}) as fake:
        assert crawl(tmp_path / "j.sqlite", fake)[1]["status"] == "ok"
        assert "Authorization" not in fake.headers


def test_a_crawl_goes_through_the_proxy(tmp_path, monkeypatch):
    with serving({1: FakePhoto()}) as fake:
        monkeypatch.setenv("http_proxy", fake.url.replace("//", "//ann:secret@"))
        fake.url = "http://flickr.invalid"
        assert crawl(tmp_path / "j.sqlite", fake)[1]["status"] == "ok"
        assert fake.headers["Host"] == "flickr.invalid"
        assert fake.headers["Proxy-Authorization"] == "Basic " + base64.b64encode(b"ann:secret").decode()


def test_a_proxy_is_for_its_scheme_and_not_for_excepted_hosts(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert proxy_for("http://api.flickr.com/services/rest/") == "http://proxy.example:3128"
    assert proxy_for("https://api.flickr.com/services/rest/") is None
    monkeypatch.setenv("all_proxy", "http://any.example:3128")
    assert proxy_for("https://api.flickr.com/services/rest/") == "http://any.example:3128"
    monkeypatch.setenv("no_proxy", "flickr.com")
    assert proxy_for("http://api.flickr.com/services/rest/") is None


@pytest.mark.parametrize(
    "proxy",
    [
        *("proxy.example", "ann:secret@proxy:3128", "http://", "http://ann:secret@", "http://[x", "http://p:port"),
        *("http://ann:secret word@proxy:3128", "http://ann:secret@proxy:99999"),
    ],
)
def test_a_proxy_that_is_no_address_is_one_sentence_without_its_password(monkeypatch, proxy):
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(InputError, match="http_proxy") as caught:
        proxy_for("http://api.flickr.com/")
    assert "secret" not in str(caught.value)


def test_weights_are_not_fetched_through_such_a_proxy_either(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://ann:secret word@proxy.invalid:99999")
    with pytest.raises(
        InputError, match=r"https_proxy\) is not an address: it must be one such as http://host:port\.$"
    ):
        downloaded("https://host.invalid/weights.pt", None)
