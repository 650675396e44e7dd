"""Gathering of the photos of all requests into batches for the networks."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class BusyError(Exception):
    """A queue that takes no more for now."""


class Batches(Generic[Item, Result]):
    """A queue whose items one thread computes in batches, for use in an `async with` block.

    compute: from items to their results, in the same order.
    size: of a batch, at most.
    waiting: the items that may wait.

    A lone item starts at once: nothing waits for a batch to fill. While one is computed, the next gathers.
    """

    def __init__(self, compute: Callable[[Sequence[Item]], Sequence[Result]], size: int, waiting: int):
        self._compute, self._size, self._most = compute, size, waiting
        self._queue: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._filled = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "networks")
        self.batches = self.items = 0
        """Counts of batches, and of the items in them."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._thread.shutdown()

    @property
    def waiting(self) -> int:
        """The number of items that wait."""
        return len(self._queue)

    def check_room(self) -> None:
        """Raises BusyError when the queue is full."""
        if len(self._queue) >= self._most:
            raise BusyError

    async def compute(self, item: Item) -> Result:
        """Computes an item together with others. Raises BusyError when too many wait, and what `compute` raises."""
        self.check_room()
        future = asyncio.get_running_loop().create_future()
        self._queue.append((item, future))
        self._filled.set()
        return await future

    async def _run(self) -> None:
        while True:
            await self._filled.wait()
            batch = self._take()
            if batch:
                await self._answer(*zip(*batch, strict=True))
            if not self._queue:
                self._filled.clear()

    def _take(self) -> list[tuple[Item, "asyncio.Future[Result]"]]:
        """Takes a batch off the queue, without those whose clients have left."""
        batch = []
        while self._queue and len(batch) < self._size:
            item, future = self._queue.popleft()
            if not future.done():
                batch.append((item, future))
        return batch

    async def _answer(self, items: Sequence[Item], futures: "Sequence[asyncio.Future[Result]]") -> None:
        self.batches += 1
        self.items += len(items)
        try:
            results = await asyncio.get_running_loop().run_in_executor(self._thread, self._compute, items)
        except Exception as error:
            results = [error] * len(items)
        for future, result in zip(futures, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
