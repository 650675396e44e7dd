"""Threads of training on a CPU.

torch shares every operation on a batch among its threads, and loses more by waking them than it gains, tenfold on busy
cores. In training, therefore, it computes on one. A second thread reads the next block of batches, and does half of
what takes long: products with features, loops over a batch's quadruples, orders of tags, steps.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TypeVar

import torch

T = TypeVar("T")

LEAST_WORK = 1 << 24
"""Multiplications below which half a product is done before another thread has woken up."""

LOOP_COST = 8
"""Multiplications in a product that take as long as a number in a compiled loop."""

COUNT = ContextVar("threads", default=1)
"""The threads that torch has outside training."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Keeps torch to one thread within a block."""
    before = torch.get_num_threads()
    token = COUNT.set(before)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        COUNT.reset(token)
        torch.set_num_threads(before)


def in_halves(work: Callable[[int, int], None], size: int, multiplications: int) -> None:
    """Calls `work` for both halves of 0 to `size`, at the same time where there is a second thread.

    Little work is done in one go. Whether it is cut does not depend on the machine, because with products it shows in
    the last bits.
    """
    if multiplications < LEAST_WORK or size < 2:
        work(0, size)
        return
    half = size // 2
    waiting = _thread("second half").submit(work, half, size) if COUNT.get() > 1 else None
    work(0, half)
    waiting.result() if waiting else work(half, size)


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yields the same items, each made by a second thread, if any, while the one before is in use."""
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
