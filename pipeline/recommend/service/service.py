"""The service without HTTP: photos in, suggestions out, acceptance kept and learned."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from pipeline.data.jpeg import strip_metadata
from pipeline.data.photo import PhotoError, PhotoFile
from pipeline.errors import InputError
from pipeline.keywords.capture_place import add_place, place_taken
from pipeline.keywords.capture_time import time_taken
from pipeline.recommend.network import PhotoVectors
from pipeline.recommend.service.batches import Batches
from pipeline.recommend.service.exports import to_csv, to_zip
from pipeline.recommend.service.journal import HeldPhoto, Journal, Post
from pipeline.recommend.service.limits import Limits
from pipeline.recommend.service.messages import (
    AcceptedPost,
    Export,
    Query,
    Reason,
    SuggestedPhoto,
    SuggestedTag,
)
from pipeline.recommend.service.metrics import Metrics
from pipeline.recommend.service.packing import Packers
from pipeline.recommend.service.photos import HeldPhotos
from pipeline.recommend.service.users import Users
from pipeline.recommend.service.witness import exclusive

if TYPE_CHECKING:
    from pipeline.recommend.recommender import Recommender, Suggestion

log = logging.getLogger(__name__)

Done = TypeVar("Done")


class UnknownPhotoError(Exception):
    """A photo that is not held: it must be sent (again)."""


class Service:
    """All that the service does, for use by one event loop.

    Photos are prepared in processes, the networks run in one thread, ranking and the journal have another.
    """

    def __init__(
        self,
        recommender: "Recommender",
        journal: Journal,
        packers: Packers,
        batches: Batches[PhotoFile, PhotoVectors],
        limits: Limits,
        examples: Sequence[PhotoFile],
    ):
        self.recommender, self.limits, self.metrics, self.examples = recommender, limits, Metrics(), examples
        self.batches, self.photos = batches, HeldPhotos(limits.held_bytes)
        self._journal, self._packers = journal, packers
        self._users = Users(recommender, journal, limits.held_users)
        self._thread = ThreadPoolExecutor(1, "ranking")

    @classmethod
    @asynccontextmanager
    async def open(
        cls, recommender: "Recommender", path: Path, limits: Limits, examples: Sequence[PhotoFile] = ()
    ) -> AsyncIterator[Self]:
        """Opens the journal and starts the processes, for as long as the block lasts.

        examples: JPEG files that clients may ask for, to try suggestions on.
        """

        def compute(files: Sequence[PhotoFile]) -> list[PhotoVectors | PhotoError]:
            return list(recommender.vectors(files))

        async with AsyncExitStack() as opened:
            opened.enter_context(exclusive(path))
            networks, dimensions = recommender.fingerprint, recommender.dimensions
            journal = opened.enter_context(Journal.open(path, networks, limits.journal_bytes, dimensions=dimensions))
            packers = await opened.enter_async_context(Packers(limits.processes, limits.pixels, limits.photo_seconds))
            batches = await opened.enter_async_context(Batches(compute, limits.batch, limits.waiting))
            service = cls(recommender, journal, packers, batches, limits, examples)
            opened.callback(service._thread.shutdown)
            learning = asyncio.create_task(service._learn_anew())
            opened.callback(learning.cancel)
            yield service

    async def add(self, data: bytes, hash: str | None = None) -> HeldPhoto:
        """Prepares a photo's file and computes its vectors, unless it is held. Raises PhotoError, BusyError."""
        hash = hash or hashlib.sha256(data).hexdigest()
        photo = self.photos.get(hash)
        if photo is None:
            self.batches.check_room()
            jpeg = await self._packers.pack(data)
            # In the prepared photo, so that networks of a later bundle see it as well.
            if self.recommender.sees_places and (place := place_taken(data)):
                jpeg = add_place(jpeg, place)
            photo = await self._see(hash, jpeg, time_taken(data))
        return photo

    async def suggest(self, hashes: Sequence[str], query: Query) -> list[SuggestedPhoto]:
        """Ranks tags for photos that are held. Those that are not have an error in their place."""
        photos = [self.photos.get(hash) or await self._accepted(hash) for hash in hashes]
        vectors = [PhotoVectors(photo.hash, photo.vectors, photo.time) for photo in photos if photo]
        ranked = await self._run(self._rank, vectors, query) if vectors else []
        answers = iter(map(self._answer, vectors, ranked))
        return [
            next(answers) if photo else SuggestedPhoto(hash=hash, error="not held: send the photo")
            for hash, photo in zip(hashes, photos, strict=True)
        ]

    async def accept(self, post: AcceptedPost) -> bool:
        """Commits a post to the journal. Returns False for one that was there.

        Raises UnknownPhotoError when the photo is neither held nor accepted before, and what `Journal.accept` raises.
        """
        photo = self.photos.get(post.photo) or await self._accepted(post.photo)
        if photo is None:
            raise UnknownPhotoError
        shown = tuple((each.tag, each.probability) for each in post.shown)
        tags = tuple(dict.fromkeys(post.tags))
        new = await self._run(self._journal.accept, Post(post.id, post.user, post.photo, post.name, tags, shown), photo)
        self.metrics.accepted += new
        return new

    async def photo(self, hash: str) -> bytes:
        """Returns a prepared photo, without its place. Raises UnknownPhotoError for one that is not held."""
        photo = self.photos.get(hash) or await self._accepted(hash)
        if photo is None:
            raise UnknownPhotoError
        return strip_metadata(photo.jpeg)

    async def users(self) -> list[tuple[str, int]]:
        """Lists the known users with the number of posts accepted here."""
        return await self._run(self._users.names)

    async def completions(self, typed: str, user: str | None, count: int) -> list[tuple[str, int]]:
        """Finds tags that match what was typed, with the number of the user's posts that have them."""
        return await self._run(self._users.completions, typed, user, count)

    async def export(self, request: Export) -> bytes:
        """Writes a user's accepted posts as a file. Raises InputError where a package for it is missing."""
        posts = await self._run(self._journal.posts, request.user)
        if request.photos is not None:
            wanted = set(request.photos)
            posts = [post for post in posts if post.photo in wanted]
        return await asyncio.to_thread(to_csv if request.format == "csv" else to_zip, posts)

    async def _see(self, hash: str, jpeg: bytes, time: int | None) -> HeldPhoto:
        """Computes the vectors of a prepared photo, and holds it."""
        vectors = await self.batches.compute(PhotoFile(hash, jpeg))
        photo = HeldPhoto(hash, jpeg, vectors.vectors, time)
        self.photos.add(photo)
        return photo

    async def _accepted(self, hash: str) -> HeldPhoto | None:
        """Returns a photo of the journal, with vectors of the present networks; None where that is no photo."""
        photo = await self._run(self._journal.photo, hash)
        if photo is None or photo.vectors is not None:
            return photo
        try:
            return await self._see(hash, photo.jpeg, photo.time)
        except PhotoError:  # Not what this service wrote: whoever sends it replaces it.
            return None

    def _rank(self, photos: Sequence[PhotoVectors], query: Query) -> "list[list[Suggestion]]":
        recommender = self._users.recommender_for(query.user)
        return recommender.rank(photos, query.user, given=query.given, exclude=query.exclude, count=query.count)

    def _answer(self, photo: PhotoVectors, ranked: "Sequence[Suggestion]") -> SuggestedPhoto:
        unplaced = self.recommender.unplaced([photo]) > 0
        return SuggestedPhoto(hash=photo.hash, suggestions=[_message(each) for each in ranked], unplaced=unplaced)

    async def _learn_anew(self) -> None:
        """Computes vectors that the journal lacks: those by new networks, so that they learn what was accepted."""
        hashes = await self._run(self._journal.without_vectors)
        if hashes:
            log.info("Vectors of %s accepted photos are missing: they are computed again.", f"{len(hashes):,}")
        for hash in hashes:
            try:
                photo = await self._accepted(hash)
                if photo is None:
                    raise InputError(f"{hash} is damaged in the journal.")
                await self._run(self._journal.add_vectors, photo)
            except InputError as error:
                log.warning("An accepted photo cannot be learned again: %s", error)

    async def _run(self, work: Callable[..., Done], *arguments: object) -> Done:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)


def _message(suggestion: "Suggestion") -> SuggestedTag:
    return SuggestedTag(
        tag=suggestion.tag,
        score=float(suggestion.score),
        probability=float(suggestion.probability),
        why=[Reason(part=why.part, score=float(why.score), words=why.words) for why in suggestion.why],
    )
