"""Files of weights: downloaded once, and used only when their hash is right."""

import hashlib
import logging
from pathlib import Path
from urllib.error import URLError

import torch.hub
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.files import atomic, sha256

log = logging.getLogger(__name__)

SHA512_DIGITS = 128


def downloaded(url: str, expected: str | None) -> tuple[Path, str]:
    """A published file, kept where torch keeps such files, and its SHA-256; fetched when it is not there yet.

    `expected` is its SHA-256, how that begins, or its SHA-512; None when nobody published one: then it is only told.
    Raises InputError when the file cannot be fetched, or is another one.
    """
    file = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not file.exists():
        log.info("Downloading %s to %s.", url, file)
        with atomic(file) as temporary:
            try:
                torch.hub.download_url_to_file(url, str(temporary))
            except (URLError, TimeoutError, ConnectionError) as error:
                raise InputError(
                    f"{file.name} cannot be downloaded ({error}): fetch {url} where there is a network and put it at "
                    f"{file}, or choose other weights."
                ) from None
            check(temporary, expected or "", f"the published one of {url}")
    found = check(file, expected or "", "the published one")
    if expected is None:
        log.warning("No hash is published for %s; its SHA-256 is %s.", file.name, found)
    return file, found


def check(path: Path, expected: str, what: str) -> str:
    """The SHA-256 of a file or folder. `expected` is that, how it begins, or a file's SHA-512.

    Raises InputError when it is not there, or has another hash.
    """
    found = sha256_of_folder(path) if path.is_dir() else sha256(path)
    require(path, _sha512(path) if len(expected) == SHA512_DIGITS else found, expected, what)
    return found


def require(path: Path, found: str, expected: str, what: str) -> None:
    """Raises InputError when the hash that was found of a file is not the expected one, or does not begin with it."""
    if not found.startswith(expected):
        kind = "SHA-512" if len(found) == SHA512_DIGITS else "SHA-256"
        raise InputError(f"{path} has the {kind} {found}; {what} is {expected}: it is another file, or a broken one.")


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


def sha256_of_folder(folder: Path) -> str:
    """The SHA-256 of what `sha256sum` prints for a folder's files, by their sorted names in it (hidden ones, too).

    As `find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum` says in the folder.
    """
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return hashlib.sha256("".join(f"{sha256(folder / name)}  {name}\n" for name in names).encode()).hexdigest()


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
