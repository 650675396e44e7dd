"""Functions that fail in every way, for processes that must not take others with them. Light to import."""

import os
import time

from pipeline.keywords.reading import PhotoTask, Reading, read


def crashes_at_one(task: PhotoTask) -> Reading:
    """Reads keywords, and crashes at a photo that is called so."""
    if task.file.endswith("crash.jpg"):
        os.abort()
    return read(task)


def fragile(item: str) -> str:
    """Crashes, hangs or raises at items that are called so; returns others in upper case."""
    if item == "crash":
        os.abort()
    if item == "hang":
        time.sleep(60)
    if item == "raise":
        raise ValueError("is\nbad")
    return item.upper()
