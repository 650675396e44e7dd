"""A connection to Ray: refused in one plain sentence."""

import socket
import sys
from importlib.util import find_spec

import pytest

from pipeline import cluster
from pipeline.errors import ResourceError

installed = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'")


def test_without_ray_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(ResourceError, match=r"Ray is not installed .*: pip install '\.\[ray\]'\.$") as caught,
        cluster.connected(),
    ):
        pass
    assert caught.value.option == "engine"


@installed
def test_an_address_where_nobody_listens_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Taken, but not listening.
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(ResourceError, match=rf"Ray cannot be used at {address} \(.*refused") as caught,
            cluster.connected(address),
        ):
            pass
        assert caught.value.option == "address"


@installed
@pytest.mark.parametrize("address", ["nonsense", "ray://somewhere"])
def test_an_address_that_is_none(address):
    with pytest.raises(ResourceError, match=f"Ray cannot be used at {address}"), cluster.connected(address):
        pass


@installed
def test_auto_where_no_ray_runs(monkeypatch):
    import ray

    def finds_none(*_: object, **__: object) -> None:  # As Ray does; but on this machine one may run.
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(ray, "init", finds_none)
    with pytest.raises(ResourceError, match=r"Ray cannot be used at auto \(Could not find"), cluster.connected("auto"):
        pass
