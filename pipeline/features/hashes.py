"""Hashes of the files that decide features: a file is used only when it has the expected hash."""

import hashlib
from pathlib import Path

from pipeline.errors import SettingError
from pipeline.features.config import WeightsFile
from pipeline.files.seal import sha256


def checked_file(weights: WeightsFile) -> tuple[Path, str]:
    """Returns the path of a file of weights, and its SHA-256.

    Raises SettingError when there is no such file, or its hash is not the one in the configuration.
    """
    path = Path(weights.path)
    if not path.is_file():
        raise SettingError("weights.path", f"is {weights.path!r}; there is no such file.")
    return path, checked_sha256(path, weights.sha256, "weights.sha256")


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
