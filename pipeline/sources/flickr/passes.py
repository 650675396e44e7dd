"""Passes over what a journal waits for: each item is visited, a few at once, until its status is final."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from pipeline.progress import meter
from pipeline.sources.flickr.host import Host, Visit
from pipeline.sources.flickr.outcome import (
    ASKED_AGAIN,
    NEVER_ASKED,
    OK,
    PENDING,
    PENDING_RETRY,
    Failure,
    Refusal,
    Stopped,
    Unreachable,
    Unusable,
)
from pipeline.sources.flickr.statuses import Statuses


class Passes(ABC):
    """One run over items of a kind, such as photos; a subclass knows how to ask for one of them."""

    title: ClassVar[str]
    """The work as progress names it."""
    unit: ClassVar[str]
    """The items as messages name them, in the plural."""

    statuses: Statuses
    """The items, each with its status."""
    in_flight: int
    """Items worked on at once."""
    passes: int
    """Visits, in one run, to an item that is put off."""

    @abstractmethod
    async def ask(self, item: str, visit: Visit) -> None:
        """Asks for all that is missing of an item, and records it. Raises Failure or Refusal."""

    @abstractmethod
    async def ask_for_witness(self, host: Host, visit: Visit) -> bool:
        """Asks a host for an item that it gave before; false while there is none. Raises Failure or Refusal."""

    async def run(self) -> None:
        """Visits the items that wait, then those that were put off.

        Raises Stopped when a host must be left alone, or when items remain for which no host gave a usable answer.
        """
        waiting, tally = self.statuses.waiting(), _Tally.of(self.statuses.summary())
        with meter(self.title, tally.done + tally.pending, self.unit, tally.done) as progress:

            def settled(status: str) -> None:
                tally.settle(status)
                progress.advance(str(tally))

            for turn in range(1, self.passes + 1):
                await self._visit_all(waiting, turn == self.passes, settled)
                waiting = self.statuses.waiting()
                if not waiting:
                    return
        raise Stopped(
            f"{len(waiting):,} {self.unit} are pending, because no host gave a usable answer: check the network, "
            "then run again; all that was done is kept."
        )

    async def _visit_all(self, waiting: dict[str, str], last: bool, settled: Callable[[str], None]) -> None:
        """Visits items, a few at once, and reports each final status to `settled`."""
        # One iterator for all workers: none runs ahead, and nothing is queued.
        turns = iter(waiting.items())

        async def work() -> None:
            for item, before in turns:
                status = await self._visit(item, before, last)
                if status not in ASKED_AGAIN:
                    settled(status)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.in_flight, len(waiting))):
                    group.create_task(work())
        except BaseExceptionGroup as group_of_errors:
            raise group_of_errors.exceptions[0] from None  # The first failure; it cancelled the others.

    async def _visit(self, item: str, before: str, last: bool) -> str:
        """Visits an item, and returns its status.

        before: the status until now. last: true when this run will not come back to it.
        """
        visit = Visit()
        try:
            await self.ask(item, visit)
        except Failure as failure:
            self.statuses.record(item, failure.status, visit.requests, failure.reason)
            return failure.status
        except Refusal as refusal:
            return await self._put_off(item, visit, refusal, before, last)
        return OK

    async def _put_off(self, item: str, visit: Visit, refusal: Refusal, before: str, last: bool) -> str:
        """Records that a host gave no answer, which is its own fault or the item's. Returns the item's status.

        An item that was never put off before is evidence against a host that had answered until then. For any other
        item the question is open, and the host is asked for one that it gave before. If it answers, the item is to
        blame: in the last pass its failure becomes final, and nothing is counted against the host. Where it gave none
        before, an unusable answer becomes final as well: the host is not down.
        """
        is_evidence = before == PENDING and visit.host.has_answered and not last
        answers = False if is_evidence else await self._answers(visit.host)
        item_is_to_blame = isinstance(refusal, Unusable) if answers is None else answers
        final = item_is_to_blame and last and not isinstance(refusal, Unreachable)
        status = refusal.status if final else PENDING_RETRY
        # Before the refusal is counted: that may end the run, and the next one should ask for other items first.
        self.statuses.record(item, status, visit.requests, refusal.reason)
        if not answers:
            visit.host.refused(refusal)
        return status

    async def _answers(self, host: Host) -> bool | None:
        """Checks that a host still answers, by an item that it gave before; None while there is none."""
        visit = Visit()
        try:
            return await self.ask_for_witness(host, visit) or None
        except Refusal:
            return False
        except Failure:  # An answer as well: the item has since gone. But a refused address is never asked for.
            return visit.requests > 0


@dataclass
class _Tally:
    """The numbers shown while a run is at work."""

    ok: int
    failed: int
    pending: int

    @classmethod
    def of(cls, summary: Mapping[str, int]) -> Self:
        """Sums up the items of each status; those that are never asked for do not count."""
        ok, pending = summary.get(OK, 0), sum(summary.get(status, 0) for status in ASKED_AGAIN)
        never_asked = sum(summary.get(status, 0) for status in NEVER_ASKED)
        return cls(ok, sum(summary.values()) - ok - pending - never_asked, pending)

    @property
    def done(self) -> int:
        return self.ok + self.failed

    def settle(self, status: str) -> None:
        """Counts a pending item that has become final."""
        self.pending -= 1
        if status == OK:
            self.ok += 1
        else:
            self.failed += 1

    def __str__(self) -> str:
        return f"ok {self.ok:,}, failed {self.failed:,}, pending {self.pending:,}"
