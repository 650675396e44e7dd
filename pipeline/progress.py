"""Progress of long work: a bar in a terminal, a plain line now and then in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")

LOG_EVERY = 10.0
"""Seconds between two plain lines."""


class Meter(Protocol):
    """A display of how much of the work is done."""

    def advance(self, note: str = "") -> None:
        """Counts one more item as done; `note` is shown after the counts."""


@contextmanager
def meter(title: str, total: int, unit: str = "", done: int = 0) -> Iterator[Meter]:
    """Shows on standard error how many of `total` are done, the rate, and the time left.

    `done` is the number that an earlier run finished.
    """
    # Here, and not above: a tenth of a second, for commands that show no progress.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(title, total, unit, done)
        return
    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit), rate)
    notes = TextColumn("{task.fields[note]}")
    # Standard output goes through the bar's console only where both are the same terminal.
    shown = {"console": console, "transient": True, "redirect_stdout": sys.stdout.isatty()}
    with Progress(*columns, notes, TimeRemainingColumn(), **shown) as progress:
        yield _Bar(progress, title, total, done)


def track(items: Iterable[T], title: str, total: int, unit: str = "", done: int = 0) -> Iterator[T]:
    """Yields `items` and shows with a `meter` how many of `total` are done."""
    with meter(title, total, unit, done) as shown:
        for item in items:
            yield item
            shown.advance()


class _Bar:
    """A meter in a terminal."""

    def __init__(self, progress: "Progress", title: str, total: int, done: int):
        self._progress, self._start, self._count = progress, time.monotonic(), 0
        self._task = progress.add_task(title, total=total, completed=done, rate="", note="")

    def advance(self, note: str = "") -> None:
        self._count += 1
        rate = self._count / max(time.monotonic() - self._start, 1e-9)
        self._progress.update(self._task, advance=1, rate=f"{rate:.1f}/s", note=note)


class _Lines:
    """A meter in a log: a plain line every LOG_EVERY seconds."""

    def __init__(self, title: str, total: int, unit: str, done: int):
        self._title, self._total, self._unit, self._done, self._count = title, total, unit, done, 0
        self._start = self._last = time.monotonic()

    def advance(self, note: str = "") -> None:
        self._count += 1
        now = time.monotonic()
        if now - self._last < LOG_EVERY:
            return
        self._last, rate, done = now, self._count / (now - self._start), self._done + self._count
        left = timedelta(seconds=round(max(0, self._total - done) / rate))
        more = f"; {note}" if note else ""
        print(
            f"{self._title}: {done} of {self._total} {self._unit} ({rate:.1f}/s, {left} left){more}",
            file=sys.stderr,
        )
