"""Threads of training on a CPU.

torch shares every operation on a batch among its threads, and loses more by waking them than it gains, tenfold on busy
cores. So in training it computes on one. What is worth a second is given one here: half of each product with features,
and reading the next block of batches.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TypeVar

import torch

T = TypeVar("T")

WORTH = 1 << 24
"""Multiplications below which half a product is done before another thread has woken up."""

COUNT = ContextVar("threads", default=1)
"""How many threads torch had before it was told to take one."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it torch computes on one thread."""
    before = torch.get_num_threads()
    token = COUNT.set(before)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        COUNT.reset(token)
        torch.set_num_threads(before)


def in_halves(work: Callable[[int, int], None], size: int, multiplications: int) -> None:
    """Calls `work` with 0 to half of `size` and with the rest, at once where there is a second thread.

    Little work is done in one go. Whether it is cut does not depend on the machine, because it shows in the last bits.
    """
    if multiplications < WORTH or size < 2:
        work(0, size)
        return
    half = size // 2
    waiting = _thread("second half").submit(work, half, size) if COUNT.get() > 1 else None
    work(0, half)
    waiting.result() if waiting else work(half, size)


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each made by a second thread, where there is one, while the one before it is worked on."""
    if COUNT.get() == 1:
        yield from items
        return
    coming = _thread("reader").submit(next, items, None)
    while (item := coming.result()) is not None:
        coming = _thread("reader").submit(next, items, None)
        yield item


@cache
def _thread(name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, name, initializer=torch.set_num_threads, initargs=(1,))
