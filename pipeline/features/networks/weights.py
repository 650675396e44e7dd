"""Files of weights: downloaded once, and used only when their hash is right."""

import hashlib
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch.hub
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pipeline.errors import InputError, one_line
from pipeline.files.atomic import atomic
from pipeline.files.seal import sha256
from pipeline.files.tensors import write_safetensors
from pipeline.progress import track
from pipeline.proxy import proxy_for

log = logging.getLogger(__name__)

SHA512_DIGITS = 128

TIMEOUT = 60
"""Seconds within which a server must answer, and send each further piece."""

MEBIBYTE = 2**20


class SkipInit(TorchFunctionMode):
    """A mode in which layers start as zeros instead of drawn weights, because a file will replace them.

    VGG16 draws 138 million, of which an extractor keeps 15.
    """

    DRAWING = frozenset((Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_))

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func not in self.DRAWING:
            return func(*args, **given)
        weights = args[0] if args else given["tensor"]
        weights.detach().zero_()
        return weights


def downloaded(url: str, expected: str | None) -> tuple[Path, str]:
    """Returns a published file, kept where torch keeps such files, and its SHA-256; downloads it once.

    expected: its SHA-256, the beginning of that, or its SHA-512; None where nobody published one: then it is logged.

    Raises InputError when the file cannot be downloaded, or is another one.
    """
    file = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if file.exists():
        found = _published_sha256(file, expected, url, " Delete it to have it downloaded again.")
    else:
        log.info("Downloading %s to %s.", url, file)
        with atomic(file) as temporary:
            _fetch(url, file, temporary)
            found = _published_sha256(temporary, expected, url)
    if expected is None:
        log.warning("No hash is published for %s; its SHA-256 is %s.", file.name, found)
    return file, found


def _fetch(url: str, file: Path, to: Path) -> None:
    """Downloads what will be `file`. Raises InputError, even when the connection ends before the file does."""
    import requests

    proxy_for(url)  # A malformed one would be quoted by requests, with the password in it.
    try:
        # requests compares with Content-Length, which torch.hub does not: it would keep a file that was cut short.
        with requests.get(url, stream=True, timeout=TIMEOUT) as answer, to.open("wb") as pieces:
            answer.raise_for_status()
            count = math.ceil(int(answer.headers.get("Content-Length", 0)) / MEBIBYTE)
            for piece in track(answer.iter_content(MEBIBYTE), "Downloading", count, "MiB"):
                pieces.write(piece)
    except requests.RequestException as error:
        raise InputError(
            f"{file.name} cannot be downloaded ({_reason(error)}): run again, fetch {url} where there is a network "
            f"and put it at {file}, or choose other weights."
        ) from None


def _reason(error: Exception) -> str:
    """Says why a request failed, without the words of several libraries."""
    import requests

    if isinstance(error, requests.HTTPError):
        return f"the answer was {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection, or one that ended early"
    return one_line(error)


def _published_sha256(path: Path, expected: str | None, url: str, remedy: str = "") -> str:
    """Returns the SHA-256 of a file. Raises InputError when it is not the one that is published."""
    found, expected = sha256(path), expected or ""
    kind, compared = ("SHA-512", _sha512(path)) if len(expected) == SHA512_DIGITS else ("SHA-256", found)
    if not compared.startswith(expected):
        raise InputError(
            f"{path} has the {kind} {compared}; that of {url} is {expected}: it is another file, or a broken one."
            f"{remedy}"
        )
    return found


def _sha512(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha512").hexdigest()


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Reads the state in a safetensors file, which runs no code. Raises InputError when it is no such file."""
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} is not a safetensors file ({error}): convert the weights to one.") from None


def write_state(network: nn.Module, path: Path, metadata: Mapping[str, str] | None = None) -> Path:
    """Writes the state of a network on the CPU as safetensors. Returns the path."""
    state = {name: values.numpy().copy() for name, values in network.state_dict().items()}
    write_safetensors(state, metadata or {}, path)
    return path


def digest(network: nn.Module) -> str:
    """Returns a SHA-256 of a network's weights and their names."""
    found = hashlib.sha256()
    for name, values in sorted(network.state_dict().items()):
        found.update(name.encode())
        found.update(values.numpy().tobytes())
    return found.hexdigest()
