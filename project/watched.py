"""A check of the folder that a source reads, for what DVC cannot hash when it looks for changes."""

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.data.walk import walk_all
from pipeline.errors import InputError

SHOWN = 10
"""Files in a message, at most."""
DEEPEST = 500
"""The depth of nested folders that DVC follows for certain: in Python 3.11 it fails at about a thousand."""


def check_watched(folder: Path) -> None:
    """Raises InputError for a folder that is not there, and for files in it that DVC cannot hash."""
    if folder.is_symlink() and not folder.exists():
        raise InputError(f"{folder} leads to {folder.readlink()}, which is not there: bring it back, or begin again.")
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist: tagrec begin PATH puts data there (data/README.md).")
    faults = list(unwatchable(folder))
    if faults:
        raise InputError("; ".join([*faults[:SHOWN], *["…"] * (len(faults) > SHOWN)]) + ".")


def unwatchable(folder: Path) -> Iterator[str]:
    """Yields the files below a folder that DVC cannot hash, each with the remedy.

    DVC follows a link as the whole folder and links to files, but none to folders. It would wait for ever for a pipe,
    it would not name a file whose name is not UTF-8, and it fails on folders nested too deep.
    """
    for parent, folders, files in walk_all(folder):
        parts = Path(parent).relative_to(folder).parts
        if len(parts) > DEEPEST:
            yield f"{str(folder / parts[0])!a} has folders nested more than {DEEPEST} deep: move it away"
            folders.clear()
            continue
        for name in sorted([*folders, *files]):
            path = Path(parent, name)
            try:
                str(path).encode()
            except UnicodeEncodeError:
                yield f"{os.fsencode(path)!r} has a name that is not UTF-8: rename it"
                continue
            if path.is_symlink() and not path.exists():
                yield f"{path} is a link to {path.readlink()}, which is not there: delete the link"
            elif not path.is_file() and not path.is_dir():
                yield f"{path} is neither a file nor a folder: move it out of there"
