"""Files of extractors, feature sets and models that params.yaml does not list any more."""

import logging
import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

import psutil

logger = logging.getLogger(f"pipeline.{__name__}")


def sweep(folders: Iterable[Path], listed: Collection[str]) -> None:
    """Deletes what lies in folders and belongs to no listed name, and what killed runs left half-written.

    A stage that depends on a folder sweeps it first. DVC hashes dependencies once more when the stage has run, so that
    the lock file holds what everyone has who pulls the listed outputs, and nothing of earlier lists.
    A file belongs to the name before its first dot; names have no dots.
    """
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name == ".gitignore" or path.name.partition(".")[0] in listed or _being_written(path):
                continue
            logger.info("%s belongs to nothing in params.yaml and is deleted.", path)
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _being_written(path: Path) -> bool:
    """Tells a temporary file (`pipeline.files.atomic`) of a process that still runs."""
    parts = path.name.split(".")
    return (
        path.suffix == ".tmp"
        and parts[-2].isdigit()
        and int(parts[-2]) != os.getpid()
        and psutil.pid_exists(int(parts[-2]))
    )
