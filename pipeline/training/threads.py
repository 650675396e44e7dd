"""Shares a compiled loop among threads, each with a range of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import torch

WORTH = 1 << 19
"""Below so many multiplications, a loop is over before another thread has woken up."""


def shared(loop: Callable[[int, int], None], size: int, work: int, cuts: Callable[[int], int] = int) -> None:
    """Calls `loop` with ranges that together are 0 to `size`, at once, on as many threads as torch may use.

    work: the multiplications in the whole loop, which decide whether to share it; cuts: moves a bound to where the loop
    may be cut.
    """
    threads = torch.get_num_threads() if work >= WORTH else 1
    if threads == 1:
        loop(0, size)
        return
    bounds = sorted({0, size, *(cuts(size * part // threads) for part in range(1, threads))})
    first, *others = pairwise(bounds)
    waiting = [pool(threads).submit(loop, *bound) for bound in others]
    loop(*first)
    for one in waiting:
        one.result()


@cache
def pool(threads: int) -> ThreadPoolExecutor:
    """Threads beside the one that asks."""
    return ThreadPoolExecutor(threads - 1, "training")
