"""Functions that fail in every way, for processes that must not take others with them. Light to import."""

import os
import time


def fragile(item: str) -> str:
    """Crashes, hangs or raises at items that are called so; returns others in upper case."""
    if item == "crash":
        os.abort()
    if item == "hang":
        time.sleep(60)
    if item == "raise":
        raise ValueError("is\nbad")
    return item.upper()
