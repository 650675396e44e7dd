"""The crawl: each photo that the journal waits for is visited, a few at once, until its status is final."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from pipeline.data.photo import Photo, PhotoError, prepare
from pipeline.progress import meter
from pipeline.sources.flickr.api import FlickrApi, PhotoInfo
from pipeline.sources.flickr.host import Host, Visit
from pipeline.sources.flickr.journal import Journal
from pipeline.sources.flickr.outcome import (
    ASKED_AGAIN,
    HTTP_ERROR,
    NEVER_ASKED,
    NOT_FOUND,
    OK,
    PENDING,
    PENDING_RETRY,
    Failure,
    Refusal,
    Stopped,
    Unreachable,
)
from pipeline.sources.flickr.pictures import fetch, listed_path, picture_path


@dataclass(frozen=True)
class Crawl:
    """One run of the crawl over a journal."""

    journal: Journal
    """The photos, each with its status."""
    photos: Host
    """Flickr's image host."""
    api: FlickrApi | None
    """Flickr's API, which knows where the pictures are; None where it is not asked."""
    addresses: Mapping[str, str | None]
    """Pictures' URLs by photo for a crawl without the API; None where a photo has none."""
    in_flight: int
    """Photos worked on at once."""
    passes: int
    """Visits, in one run, to a photo that is put off."""

    async def run(self) -> None:
        """Visits the photos that wait, then those that were put off.

        Raises Stopped when a host must be left alone, or when photos remain for which no host answered.
        """
        waiting, tally = self.journal.waiting(), _Tally.of(self.journal.summary())
        with meter("Crawling", tally.done + tally.pending, "photos", tally.done) as progress:

            def settled(status: str) -> None:
                tally.settle(status)
                progress.advance(str(tally))

            for turn in range(1, self.passes + 1):
                await self._visit_all(waiting, turn == self.passes, settled)
                waiting = self.journal.waiting()
                if not waiting:
                    return
        raise Stopped(
            f"{len(waiting):,} photos are pending, because no host answered while they were asked for: check the "
            "network, then run again; all that was done is kept."
        )

    async def _visit_all(self, waiting: dict[str, str], last: bool, settled: Callable[[str], None]) -> None:
        """Visits photos, a few at once, and reports each final status to `settled`."""
        # One iterator for all workers: none runs ahead, and nothing is queued.
        turns = iter(waiting.items())

        async def work() -> None:
            for photo, before in turns:
                status = await self._visit(photo, before, last)
                if status not in ASKED_AGAIN:
                    settled(status)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.in_flight, len(waiting))):
                    group.create_task(work())
        except BaseExceptionGroup as group_of_errors:
            raise group_of_errors.exceptions[0] from None  # The first failure; it cancelled the others.

    async def _visit(self, photo: str, before: str, last: bool) -> str:
        """Asks for all that is missing of a photo, and records the outcome. Returns the photo's status.

        before: the status until now. last: true when this run will not come back to it.
        """
        visit, picture, reason = Visit(), None, ""
        try:
            info = await self._info(photo, visit) if self.api else None
            if not self.journal.has_picture(photo):
                picture = await self._picture(photo, info, visit)
            status = OK
        except Failure as failure:
            status, reason = failure.status, failure.reason
        except PhotoError as error:
            status, reason = error.reason, ""
        except Refusal as refusal:
            return await self._put_off(photo, visit, refusal, before, last)
        self.journal.record(photo, status, visit.requests, reason, picture)
        return status

    async def _put_off(self, photo: str, visit: Visit, refusal: Refusal, before: str, last: bool) -> str:
        """Records that a host gave no answer, which is its own fault or the photo's. Returns the photo's status.

        A photo that was never put off before is evidence against a host that had answered until then. For any other
        photo the question is open, and the host is asked for one that it gave before. If it answers, the photo is to
        blame: in the last pass it becomes an http error, and nothing is counted against the host.
        """
        is_evidence = before == PENDING and visit.host.has_answered and not last
        photo_is_to_blame = not is_evidence and await self._answers(visit.host)
        final = photo_is_to_blame and last and not isinstance(refusal, Unreachable)
        status = HTTP_ERROR if final else PENDING_RETRY
        # Before the refusal is counted: that may end the crawl, and the next one should ask for other photos first.
        self.journal.record(photo, status, visit.requests, refusal.reason)
        if not photo_is_to_blame:
            visit.host.refused(refusal)
        return status

    async def _answers(self, host: Host) -> bool:
        """Checks that a host still answers, by a photo that is ok; false while there is none."""
        witness, visit = self.journal.any_ok(), Visit()
        if witness is None:
            return False
        try:
            if host is self.photos:
                await fetch(host, self._path(witness, self.journal.info(witness)), witness, visit)
            else:
                await self.api.get_info(witness, visit)
        except Refusal:
            return False
        except Failure:  # An answer as well: the photo has since gone. But a refused address is never asked for.
            return visit.requests > 0
        return True

    async def _info(self, photo: str, visit: Visit) -> PhotoInfo:
        info = self.journal.info(photo)
        if info is None:
            info = await self.api.get_info(photo, visit)
            self.journal.keep_info(photo, info)
        return info

    async def _picture(self, photo: str, info: PhotoInfo | None, visit: Visit) -> Photo:
        data = await fetch(self.photos, self._path(photo, info), photo, visit)
        return await asyncio.to_thread(prepare, photo, data)

    def _path(self, photo: str, info: PhotoInfo | None) -> str:
        """Returns the path of a photo's picture on the image host. Raises Failure when none is known."""
        if self.api and info:
            return picture_path(info.server, photo, info.secret)
        if address := self.addresses.get(photo):
            return listed_path(address, photo)
        raise Failure(NOT_FOUND, "no address in the lists")


@dataclass
class _Tally:
    """The numbers shown while a crawl is at work."""

    ok: int
    failed: int
    pending: int

    @classmethod
    def of(cls, summary: Mapping[str, int]) -> Self:
        """Sums up the photos of each status; those that are never asked for do not count."""
        ok, pending = summary.get(OK, 0), sum(summary.get(status, 0) for status in ASKED_AGAIN)
        never_asked = sum(summary.get(status, 0) for status in NEVER_ASKED)
        return cls(ok, sum(summary.values()) - ok - pending - never_asked, pending)

    @property
    def done(self) -> int:
        return self.ok + self.failed

    def settle(self, status: str) -> None:
        """Counts a pending photo that has become final."""
        self.pending -= 1
        if status == OK:
            self.ok += 1
        else:
            self.failed += 1

    def __str__(self) -> str:
        return f"ok {self.ok:,}, failed {self.failed:,}, pending {self.pending:,}"
