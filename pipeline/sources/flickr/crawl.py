"""The crawl: every photo that the journal waits for is visited, a few at once, until all have a final status."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.data.photo import Photo, PhotoError, prepare
from pipeline.progress import Meter, meter
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
        """Visits what waits, then what was put off.

        Raises Stopped when a host must be left alone, or photos stay for which a host did not answer.
        """
        waiting = self.journal.waiting()
        asked_for = {status: n for status, n in self.journal.summary().items() if status not in NEVER_ASKED}
        counts = {status: n for status, n in asked_for.items() if status not in ASKED_AGAIN}
        done = sum(counts.values())
        counts[PENDING] = len(waiting)
        with meter("Crawling", done + len(waiting), "photos", done) as progress:
            for turn in range(1, self.passes + 1):
                await self._visit_all(waiting, turn == self.passes, progress, counts)
                waiting = self.journal.waiting()
                if not waiting:
                    return
        raise Stopped(
            f"{len(waiting):,} photos are pending, because no host answered while they were asked for: check the "
            "network, then run again; all that was done is kept."
        )

    async def _visit_all(self, waiting: dict[str, str], last: bool, progress: Meter, counts: dict[str, int]) -> None:
        # One iterator for all workers: none runs ahead, and nothing is queued.
        turns = iter(waiting.items())
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.in_flight, len(waiting))):
                    group.create_task(self._work(turns, last, progress, counts))
        except BaseExceptionGroup as group_of_errors:
            raise group_of_errors.exceptions[0] from None  # What failed first; the others were cancelled for it.

    async def _work(
        self, turns: Iterator[tuple[str, str]], last: bool, progress: Meter, counts: dict[str, int]
    ) -> None:
        for photo, before in turns:
            status = await self._visit(photo, before, last)
            if status not in ASKED_AGAIN:
                kind = OK if status == OK else "failed"
                counts[kind] = counts.get(kind, 0) + 1
                counts[PENDING] -= 1
                progress.advance(_note(counts))

    async def _visit(self, photo: str, before: str, last: bool) -> str:
        """Asks for all that is missing of a photo, and notes the outcome. Returns the photo's status.

        before: the status until now. last: whether this run comes back to no photo any more.
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
        """Notes that a host gave no answer, which is its own fault or the photo's. Returns the photo's status.

        A photo that was never put off before is evidence against a host that had answered until then. With any other
        the question is open, and the host is asked for a photo that it gave before. If it answers, the photo is to
        blame: it is an http error in the last pass, and the host's patience is not touched.
        """
        is_evidence = before == PENDING and visit.host.has_answered and not last
        photo_is_to_blame = not is_evidence and await self._answers(visit.host)
        final = photo_is_to_blame and last and not isinstance(refusal, Unreachable)
        status = HTTP_ERROR if final else PENDING_RETRY
        # Before the host is counted against: that may end the crawl, and the next one is to ask for other photos first.
        self.journal.record(photo, status, visit.requests, refusal.reason)
        if not photo_is_to_blame:
            visit.host.refused(refusal.reason)
        return status

    async def _answers(self, host: Host) -> bool:
        """Asks a host for a photo that is ok; true when it answers, false when it does not or no photo is ok yet."""
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
        except Failure:  # An answer, too: the photo has gone since. But an address that is refused is never asked for.
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
        """Returns where a photo's picture lies on the image host. Raises Failure when no address of it is known."""
        if self.api and info:
            return picture_path(info.server, photo, info.secret)
        if address := self.addresses.get(photo):
            return listed_path(address, photo)
        raise Failure(NOT_FOUND, "no address in the lists")


def _note(counts: Mapping[str, int]) -> str:
    ok, pending = counts.get(OK, 0), counts[PENDING]
    return f"ok {ok:,}, failed {sum(counts.values()) - ok - pending:,}, pending {pending:,}"
