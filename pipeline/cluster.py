"""Work over Ray: on the machines of a cluster, or on this one.

Ray is imported in functions alone: only who asks for it needs it.
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

from pipeline.errors import InputError, one_line

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.actor import ActorHandle
    from ray.data import Dataset

T = TypeVar("T")
Columns = Mapping[str, Sequence[Any]]

ITEM = "item"
"""The column that says which item, by its number, a row is of."""

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # No telemetry.
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",  # We show our own progress.
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # Other troubles are mended, or raised too.
    "RAY_worker_niceness": "0",  # On this machine alone nothing is to be more urgent than the caller's work.
    "RAY_ENABLE_AUTO_CONNECT": "0",  # No call connects unasked, such as a late one after the end.
}
PATIENCE = 10.0
"""Seconds that a cluster has to answer."""

HALF = 0.5
"""CPUs that Ray counts for a step that shares a machine with a network: the system gives it what it really needs."""

WHOLE = {"batch_size": None, "batch_format": "pyarrow"}
"""A step is given whole blocks, uncopied."""


@contextmanager
def connected(address: str | None = None) -> Iterator[None]:
    """A connection to Ray while the block lasts.

    `address` is that of a cluster (host:port, or "auto": the one that this machine belongs to); None starts Ray on this
    machine alone, and stops it after the block. A connection that there is already is used, and stays. A cluster's
    workers get this project's code from here; what it needs must be installed on their machines.

    Raises InputError when Ray is not installed, and when the cluster does not answer or has other versions.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
        from ray.exceptions import RayError
    except ImportError as error:
        raise InputError(f"Ray is not installed ({error}): pip install '.[ray]', or choose --engine local.") from None
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    if ray.is_initialized():
        yield
        return
    try:
        if address not in (None, "auto"):
            _knock(address)
        ray.init(
            address or "local",
            include_dashboard=None if address else False,
            # Of what the caller has, its code travels, and nothing of its environment.
            runtime_env={"py_modules": [str(Path(__file__).parent)]} if address else None,
            logging_level=logging.CRITICAL,
            log_to_driver=False,
        )
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise InputError(
            f"No Ray can be used at {address or 'this machine'} ({one_line(error)}): start one there (`ray start "
            "--head`) with the versions of this machine, give another --address, or choose --engine local."
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError or ValueError when nobody listens at host:port: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=PATIENCE).close()


def stream(
    items: Iterable[T],
    first: Callable[[T], Columns],
    then: Callable[["Dataset"], "Dataset"] | None = None,
    address: str | None = None,
) -> Generator["pa.Table", None, None]:
    """Items through a pipeline of Ray Data: for each a table of one row, with its number as ITEM, in any order.

    `first` runs as a task for each item, wherever the cluster has half a CPU to spare, and gives the columns of its
    row; `then` appends further steps, which keep each row a block of its own, and its ITEM. Items are taken in the
    caller's thread, as earlier ones come back: memory stays flat at both ends. What was under way on a machine that
    dies is done again.

    The cluster at `address` (see `connected`, also for what it raises) is asked only when there is an item. Raises
    InputError when a step raises something, and for whatever else ends the work of Ray.
    """
    items = iter(items)
    for item in islice(items, 1):
        with connected(address):
            from ray.exceptions import RayError

            try:
                yield from _stream(chain([item], items), first, then)
            except RayError as error:
                raise InputError(
                    f"Ray gives up ({_beginning(error)}): mend that on its machines (`ray status`; --debug tells more) "
                    "and run again, what is finished is kept; or choose --engine local."
                ) from error


def _beginning(error: Exception) -> str:
    """What Ray's error began with: the last line of the first of the tracebacks that it quotes."""
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
    # Rows are large, and waited for: each is passed on by itself, where Ray Data would collect 128 MB of them.
    context.target_max_block_size = 1
    with ray.data.DataContext.current(context):
        rows = ray.data.from_arrow(pa.table({ITEM: [0]}))
        rows = rows.map_batches(_numbers, fn_args=(feed,), num_cpus=0, **WHOLE)
        rows = rows.map_batches(_serve, fn_args=(feed, first), num_cpus=HALF, **WHOLE)
        rows = then(rows) if then else rows
    results = iter(rows.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0))
    numbered, under_way = enumerate(items), set()
    try:
        while True:
            # A cluster that has lost machines may have more under way than it should.
            for number, item in islice(numbered, max(0, _ahead() - len(under_way))):
                # In a list, so that the feed is given the reference and not the item; waited for, to keep the order.
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
    """How many items may be under way: two for each CPU that the cluster has by now, so that none stands idle."""
    import ray

    return 2 + 2 * round(ray.cluster_resources().get("CPU", 1))


class Feed:
    """The items under way, by number.

    Ray Data reads again what a dead machine had read: it needs a source that gives the same each time. A stream cannot,
    but its numbers can, and each item is kept here until its result has come.
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
        """Whether there is, or was, an item of that number; answers when that is certain."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.ended or number < self.count)
            return number < self.count

    async def get(self, number: int) -> list[Any]:
        return self.items[number]

    async def remove(self, number: int) -> None:
        del self.items[number]


def _start_feed() -> "ActorHandle":
    """A feed beside the caller, on the same machine: it lives as long as the caller does."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=here)(Feed).remote()


def _numbers(_: "pa.Table", feed: "ActorHandle") -> Iterator["pa.Table"]:
    """The numbers of the feed's items, as they arrive."""
    import pyarrow as pa
    import ray

    number = 0
    while ray.get(feed.has.remote(number)):
        yield pa.table({ITEM: [number]})
        number += 1


def _serve(numbers: "pa.Table", feed: "ActorHandle", function: Callable[[Any], Columns]) -> "pa.Table":
    """The row that a function makes of the item of a number."""
    import pyarrow as pa
    import ray

    (number,) = numbers[ITEM].to_pylist()
    (item,) = ray.get(feed.get.remote(number))
    columns = function(ray.get(item))
    return pa.table({ITEM: [number], **columns})
