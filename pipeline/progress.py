"""Progress of long work: a bar in a terminal, a plain line now and then elsewhere (a log, CI)."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")

LOG_EVERY = 10.0
"""Seconds between two plain lines."""


def track(items: Iterable[T], what: str, total: int, unit: str = "", done: int = 0) -> Iterator[T]:
    """Yields `items`, showing how many of `total` are done, at what rate, and the time left.

    `done` counts what an earlier run had finished already. Writes to standard error, so that output stays clean.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
        with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
            task = progress.add_task(what, total=total, completed=done)
            for item in items:
                yield item
                progress.advance(task)
        return
    start = last = time.monotonic()
    for count, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= LOG_EVERY:
            last, rate = now, count / (now - start)
            left = max(0, total - done - count) / rate
            print(f"{what}: {done + count} of {total} {unit} ({rate:.1f}/s, {left:.0f} s left)", file=sys.stderr)
