"""Removal of files of extractors, feature sets and models that params.yaml no longer lists."""

import logging
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from pipeline.files.atomic import being_written

logger = logging.getLogger(__name__)


def sweep(folders: Iterable[Path], listed: Collection[str]) -> None:
    """Deletes the files in folders that belong to no listed name, and those that killed runs left half-written.

    A stage that depends on a folder sweeps it first. DVC hashes dependencies again after a stage has run, so the lock
    file describes what everyone gets by pulling the listed outputs, and nothing from earlier lists. A file belongs to
    the name before its first dot, since names have no dots. DVC's cache still has the files.
    """
    names: dict[str, int] = {}
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            name = path.name.partition(".")[0]
            if path.name == ".gitignore" or name in listed or being_written(path):
                continue
            names[name] = names.get(name, 0) + 1
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if owners := ", ".join(sorted(filter(None, names))):
        logger.info("Deleted %d files of what params.yaml does not list: %s.", sum(names.values()), owners)
