"""Work distributed by Ray: over the machines of a cluster, or on this one.

Ray is imported inside functions, because only a run that asks for it needs it installed.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.errors import ResourceError, one_line

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.actor import ActorHandle
    from ray.data import Dataset

T = TypeVar("T")
Columns = Mapping[str, Sequence[Any]]

ITEM = "item"
"""The column that holds the number of a row's item."""

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # No telemetry.
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",  # We show our own progress.
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # Ray recovers from anything less, or raises it.
    "RAY_worker_niceness": "0",  # The caller's work is as urgent as anything else on this machine.
    "RAY_ENABLE_AUTO_CONNECT": "0",  # A call after the shutdown must not connect again.
}
ANSWER_WITHIN = 10.0
"""Seconds within which a cluster must answer."""

HALF_CPU = 0.5
"""CPUs that Ray reserves for a step that shares its machine with a network; it uses what the system gives."""

WHOLE_BLOCKS = {"batch_size": None, "batch_format": "pyarrow"}
"""Options of a step that takes whole blocks, uncopied."""


@contextmanager
def connected(address: str | None = None) -> Iterator[None]:
    """Connects to Ray while the block lasts.

    `address` is that of a cluster (host:port, or "auto" for the one that this machine belongs to); None starts Ray on
    this machine alone and stops it after the block. An open connection is used and left open. The workers of a cluster
    get this package's code from here; the packages that it needs must be installed on their machines.

    Raises ResourceError when Ray is not installed, and when the cluster does not answer or has other versions.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
        from ray.exceptions import RayError
    except ImportError as error:
        raise ResourceError(f"Ray is not installed ({error}): pip install '.[ray]'.", "engine") from None
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    if ray.is_initialized():
        yield
        return
    try:
        if address not in (None, "auto"):
            _check_reachable(address)
        ray.init(
            address or "local",
            include_dashboard=None if address else False,
            # Only the caller's code travels, nothing of its environment.
            runtime_env={"py_modules": [str(Path(__file__).parent)]} if address else None,
            logging_level=logging.CRITICAL,
            log_to_driver=False,
        )
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise ResourceError(
            f"Ray cannot be used at {address or 'this machine'} ({one_line(error)}): start it there, with the "
            "versions of this machine.",
            "address" if address else "engine",
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raises OSError or ValueError when nothing listens at host:port; Ray itself would keep trying for minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=ANSWER_WITHIN).close()


def stream(
    items: Iterable[T],
    first: Callable[[T], Columns],
    then: Callable[["Dataset"], "Dataset"] | None = None,
    address: str | None = None,
) -> Generator["pa.Table", None, None]:
    """Streams items through Ray Data, and yields a one-row table with its ITEM for each, in any order.

    `first` runs as a task for each item, wherever the cluster has half a CPU to spare, and returns the columns of its
    row; `then` appends further steps, which keep each row a block of its own, with its ITEM. Items are taken in the
    caller's thread, as earlier ones return, so that memory stays flat at both ends. Items under way on a machine that
    dies are processed again.

    Connects to the cluster at `address` (see `connected`) once there is an item. Raises ResourceError when it cannot
    connect, when a step raises an exception, and when anything else ends Ray's work.
    """
    items = iter(items)
    for item in islice(items, 1):
        with connected(address):
            from ray.exceptions import RayError

            try:
                yield from _stream(chain([item], items), first, then)
            except RayError as error:
                raise ResourceError(
                    f"Ray gives up ({_first_cause(error)}): fix that on its machines (`ray status` lists them) and "
                    "run again; finished work is kept.",
                    "engine",
                ) from error


def _first_cause(error: Exception) -> str:
    """Returns the root cause of Ray's error: the last line of the first traceback that it quotes."""
    lines = str(error).partition("\n\nThe above exception")[0].split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), type(error).__name__)


def _stream(
    items: Iterator[T], first: Callable[[T], Columns], then: Callable[["Dataset"], "Dataset"] | None
) -> Generator["pa.Table", None, None]:
    import pyarrow as pa
    import ray
    import ray.data

    feed = _start_feed()
    context = ray.data.DataContext.get_current().copy()
    # Rows are large, and each is awaited: it is passed on by itself, where Ray Data would collect 128 MB of them.
    context.target_max_block_size = 1
    with ray.data.DataContext.current(context):
        rows = ray.data.from_arrow(pa.table({ITEM: [0]}))
        rows = rows.map_batches(_numbers, fn_args=(feed,), num_cpus=0, **WHOLE_BLOCKS)
        rows = rows.map_batches(_serve, fn_args=(feed, first), num_cpus=HALF_CPU, **WHOLE_BLOCKS)
        rows = then(rows) if then else rows
    results = iter(rows.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0))
    numbered, under_way = enumerate(items), set()
    try:
        while True:
            # A cluster that has lost machines may have more under way than it should.
            for number, item in islice(numbered, max(0, _ahead() - len(under_way))):
                # In a list, so that the feed gets the reference and not the item. Waiting keeps the order.
                ray.get(feed.add.remote(number, [ray.put(item)]))
                under_way.add(number)
            if not under_way:
                break
            table = next(results)
            number = table[ITEM][0].as_py()
            under_way.remove(number)
            feed.remove.remote(number)
            yield table
        feed.end.remote()
        next(results, None)
    finally:
        ray.kill(feed)


def _ahead() -> int:
    """Returns the number of items that may be under way: enough to keep all CPUs of the cluster busy."""
    import ray

    # For each CPU that it has now, one item at work and one that waits.
    return 2 + 2 * round(ray.cluster_resources().get("CPU", 1))


class Feed:
    """The items under way, by number.

    Ray Data reads again what a dead machine had read, and so needs a source that can be read twice. A stream cannot
    be, but its numbers can; each item is kept here until its result arrives.
    """

    def __init__(self) -> None:
        self.items: dict[int, list[Any]] = {}
        self.count, self.ended, self.changed = 0, False, asyncio.Condition()

    async def add(self, number: int, item: list[Any]) -> None:
        async with self.changed:
            self.items[number], self.count = item, number + 1
            self.changed.notify_all()

    async def end(self) -> None:
        async with self.changed:
            self.ended = True
            self.changed.notify_all()

    async def has(self, number: int) -> bool:
        """Waits until an item of that number has arrived (true), or can no longer arrive (false)."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.ended or number < self.count)
            return number < self.count

    async def get(self, number: int) -> list[Any]:
        return self.items[number]

    async def remove(self, number: int) -> None:
        del self.items[number]


def _start_feed() -> "ActorHandle":
    """Starts a feed on the caller's machine, so that it lives as long as the caller does."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=here)(Feed).remote()


def _numbers(_: "pa.Table", feed: "ActorHandle") -> Iterator["pa.Table"]:
    """Yields the numbers of the feed's items as they arrive."""
    import pyarrow as pa
    import ray

    number = 0
    while ray.get(feed.has.remote(number)):
        yield pa.table({ITEM: [number]})
        number += 1


def _serve(numbers: "pa.Table", feed: "ActorHandle", function: Callable[[Any], Columns]) -> "pa.Table":
    """Returns the row that a function makes from the item with a given number."""
    import pyarrow as pa
    import ray

    (number,) = numbers[ITEM].to_pylist()
    (item,) = ray.get(feed.get.remote(number))
    columns = function(ray.get(item))
    return pa.table({ITEM: [number], **columns})
