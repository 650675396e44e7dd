"""Hashes of the files that decide features: a file is used only when it has the expected hash."""

import hashlib
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints

from pipeline.errors import SettingError
from pipeline.files.seal import sha256

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def checked_path(path: Path, expected: str | None, section: str = "") -> str:
    """Returns the SHA-256 of a file that a section of the configuration names, which must be the expected one.

    Raises SettingError when there is no such file, when it has another hash, and when none is expected.
    """
    if not path.is_file():
        raise SettingError(f"{section}path", f"is {str(path)!r}; there is no such file.")
    return checked_sha256(path, expected, f"{section}sha256")


def checked_sha256(path: Path, expected: str | None, field: str = "sha256") -> str:
    """Returns the SHA-256 of a given file or folder, which must be the one that `field` expects.

    Raises SettingError when it has another hash, and when none is expected: then the message gives the hash to set.
    """
    found = sha256_of_folder(path) if path.is_dir() else sha256(path)
    if expected is None:
        raise SettingError(field, f"is null; that of {path} is {found}: set it if you trust the file.")
    require_sha256(path, found, expected, field)
    return found


def require_sha256(path: Path, found: str, expected: str, field: str) -> None:
    """Raises SettingError when the SHA-256 that was found of a file is not the one that `field` expects."""
    if found != expected:
        raise SettingError(
            field, f"is {expected}; {path} has the SHA-256 {found}: it is another file, or a broken one."
        )


def sha256_of_folder(folder: Path) -> str:
    """Returns the SHA-256 of what `sha256sum` prints for all files of a folder, sorted by their paths.

    In the folder, `find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum` prints it.
    """
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return hashlib.sha256("".join(f"{sha256(folder / name)}  {name}\n" for name in names).encode()).hexdigest()
