"""Files of weights: downloaded once, and used only when their hash is right."""

import logging
from pathlib import Path
from urllib.error import URLError

import torch.hub

from pipeline.errors import InputError
from pipeline.files import atomic, sha256

log = logging.getLogger(__name__)


def downloaded(url: str, expected: str | None) -> tuple[Path, str]:
    """A published file, kept where torch keeps such files, and its SHA-256; fetched when it is not there yet.

    `expected` is its SHA-256 or how that begins; None when nobody published it: then it is only told. Raises InputError
    when the file cannot be fetched, or is another one.
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
            check(temporary, expected or "", f"of {url} the published SHA-256")
    found = check(file, expected or "", "the published SHA-256")
    if expected is None:
        log.warning("No SHA-256 is published for %s; it is %s.", file.name, found)
    return file, found


def check(path: Path, expected: str, what: str) -> str:
    """The SHA-256 of a file. Raises InputError when there is no such file, or it does not begin with `expected`."""
    found = sha256(path)
    if not found.startswith(expected):
        raise InputError(f"{path} has the SHA-256 {found}; {what} is {expected}: it is another file, or a broken one.")
    return found
