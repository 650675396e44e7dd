"""Files of weights: downloaded once, and used only when their hash is right."""

import hashlib
import logging
import math
from pathlib import Path

import requests
import torch.hub
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.errors import InputError, one_line
from pipeline.features.hashes import sha256_of_folder
from pipeline.files import atomic, sha256
from pipeline.progress import track

log = logging.getLogger(__name__)

SHA512_DIGITS = 128

PATIENCE = 60
"""Seconds in which a server must answer, and go on answering."""

MEBIBYTE = 2**20


def downloaded(url: str, expected: str | None) -> tuple[Path, str]:
    """A published file, kept where torch keeps such files, and its SHA-256; fetched when it is not there yet.

    `expected` is its SHA-256, how that begins, or its SHA-512; None when nobody published one: then it is only told.
    Raises InputError when the file cannot be fetched, or is another one.
    """
    file = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if file.exists():
        found = check(file, expected or "", "the published one", remedy=" Delete it and run again.")
    else:
        log.info("Downloading %s to %s.", url, file)
        with atomic(file) as temporary:
            try:
                _fetch(url, temporary)
            except requests.RequestException as error:
                raise InputError(
                    f"{file.name} cannot be downloaded ({one_line(error)}): run again, fetch {url} where there is a "
                    f"network and put it at {file}, or choose other weights."
                ) from None
            found = check(temporary, expected or "", f"the published one of {url}")
    if expected is None:
        log.warning("No hash is published for %s; its SHA-256 is %s.", file.name, found)
    return file, found


def _fetch(url: str, to: Path) -> None:
    """Raises requests.RequestException, also when the connection ends before all that was promised has come."""
    # requests compares with Content-Length, which torch.hub does not: it would keep a file that was cut short.
    with requests.get(url, stream=True, timeout=PATIENCE) as answer, to.open("wb") as file:
        answer.raise_for_status()
        pieces = math.ceil(int(answer.headers.get("Content-Length", 0)) / MEBIBYTE)
        for piece in track(answer.iter_content(MEBIBYTE), "Downloading", pieces, "MiB"):
            file.write(piece)


def check(path: Path, expected: str, what: str, remedy: str = "") -> str:
    """The SHA-256 of a file or folder. `expected` is that, how it begins, or a file's SHA-512.

    Raises InputError, which ends in the `remedy`, when it has another hash; and when it is not there.
    """
    found = sha256_of_folder(path) if path.is_dir() else sha256(path)
    require(path, _sha512(path) if len(expected) == SHA512_DIGITS else found, expected, what, remedy)
    return found


def require(path: Path, found: str, expected: str, what: str, remedy: str = "") -> None:
    """Raises InputError when the hash that was found of a file is not the expected one, or does not begin with it."""
    if not found.startswith(expected):
        kind = "SHA-512" if len(found) == SHA512_DIGITS else "SHA-256"
        raise InputError(
            f"{path} has the {kind} {found}; {what} is {expected}: it is another file, or a broken one.{remedy}"
        )


def own(path: Path, expected: str | None, key: str) -> str:
    """The SHA-256 of a file or folder of the user's own, which must be the one that `key` of params.yaml expects.

    Raises InputError as `check` does; where none is expected, it tells the hash.
    """
    found = check(path, expected or "", key)
    if expected is None:
        raise InputError(f"{key} is null; that of {path} is {found}: set it if you trust the file.")
    return found


def _sha512(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha512").hexdigest()


def read(path: Path) -> dict[str, Tensor]:
    """The state in a safetensors file, which runs no code. Raises InputError when it is no such file."""
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} is not a safetensors file ({error}): convert the weights to one.") from None


def digest(network: nn.Module) -> str:
    """A SHA-256 of a network's weights and their names."""
    found = hashlib.sha256()
    for name, values in sorted(network.state_dict().items()):
        found.update(name.encode())
        found.update(values.numpy().tobytes())
    return found.hexdigest()
