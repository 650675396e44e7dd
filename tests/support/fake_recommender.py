"""A recommender without networks: a photo's vector is its mean colour, and its tags are the nearest colours' names."""

import hashlib
import io
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from pipeline.data.photo import PhotoError, PhotoFile, prepare
from pipeline.recommend.network import PhotoVectors
from pipeline.recommend.recommender import Reason, Suggestion

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 160, 60),
    "blue": (30, 60, 210),
    "yellow": (235, 215, 40),
    "black": (10, 10, 10),
    "white": (245, 245, 245),
    "orange": (240, 140, 20),
    "pink": (245, 150, 180),
    "brown": (120, 75, 40),
    "grey": (128, 128, 128),
    "violet": (120, 40, 170),
    "turquoise": (50, 190, 190),
}


def photo_of(colour: str | tuple[int, int, int], size: tuple[int, int] = (96, 64), format: str = "JPEG") -> bytes:
    """The file of a photo of one colour, given by its name or its numbers."""
    buffer = io.BytesIO()
    Image.new("RGB", size, COLOURS[colour] if isinstance(colour, str) else colour).save(buffer, format)
    return buffer.getvalue()


@dataclass(frozen=True)
class FakeRecommender:
    """Has the interface of `Recommender`."""

    seconds: float = 0.0
    """Seconds that a batch takes."""
    folded: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """All tags that users accepted, by user."""
    name: str = "fake"
    labels: Sequence[str] = ("seeded weights",)
    tags: Sequence[str] = tuple(COLOURS)
    users: Sequence[str] = ("ann", "bob")
    habits: Mapping[str, Mapping[str, int]] = field(
        default_factory=lambda: {"ann": {"red": 5, "pink": 3}, "bob": {"blue": 4}}
    )
    batches: list[int] = field(default_factory=list)
    """The sizes of the batches that were computed."""
    fingerprint: str = "colours"
    dimensions: Mapping[str, int] = field(default_factory=lambda: {"colour": 3})
    sees_pictures: bool = True
    sees_places: bool = False
    dates_strangers: bool = False
    without_place: Collection[str] = ()
    """The hashes of photos that do not say where they were taken."""

    def vectors(self, files: Iterable[PhotoFile], _work: Path | None = None) -> Iterator[PhotoVectors | PhotoError]:
        files = list(files)
        self.batches.append(len(files))
        time.sleep(self.seconds)
        for file in files:
            try:
                image = Image.open(io.BytesIO(prepare(file.name, file.data).jpeg))
            except PhotoError as error:
                yield error
                continue
            mean = np.asarray(image, np.float32).mean((0, 1))
            yield PhotoVectors(hashlib.sha256(file.data).hexdigest(), {"colour": mean})

    def unplaced(self, vectors: Sequence[PhotoVectors]) -> int:
        return sum(photo.hash in self.without_place for photo in vectors)

    def rank(
        self,
        vectors: Sequence[PhotoVectors],
        user: str | None,
        *,
        given: Sequence[str] = (),
        exclude: Collection[str] = (),
        count: int = 10,
    ) -> list[list[Suggestion]]:
        return [self._rank(photo.vectors["colour"], user, {*given, *exclude})[:count] for photo in vectors]

    def _rank(self, mean: np.ndarray, user: str | None, without: set[str]) -> list[Suggestion]:
        own = self._uses(user)
        suggestions = []
        for tag in dict.fromkeys([*self.tags, *own]):
            look = -float(np.abs(mean - COLOURS[tag]).mean()) / 64 if tag in COLOURS else -3.0
            habit = own.get(tag, 0) / 4
            times = own.get(tag, 0)
            why = [Reason("colour", look, f"looks {tag}"), Reason("user", habit, f"you used it {times} times")]
            score = look + habit
            reasons = tuple(sorted(why, key=lambda reason: -reason.score))
            suggestions.append(Suggestion(tag, score, float(1 / (1 + np.exp(-score))), reasons))
        return sorted((each for each in suggestions if each.tag not in without), key=lambda each: -each.score)

    def _uses(self, user: str | None) -> dict[str, int]:
        own = dict(self.habits.get(user, {}))
        for tag in self.folded.get(user, ()):
            own[tag] = own.get(tag, 0) + 1
        return own

    def suggest(
        self,
        photos: Sequence[PhotoFile],
        user: str | None,
        *,
        given: Sequence[str] = (),
        exclude: Collection[str] = (),
        count: int = 10,
    ) -> list[list[Suggestion] | PhotoError]:
        seen = list(self.vectors(photos))
        good = [each for each in seen if isinstance(each, PhotoVectors)]
        ranked = iter(self.rank(good, user, given=given, exclude=exclude, count=count))
        return [next(ranked) if isinstance(each, PhotoVectors) else each for each in seen]

    def with_posts(self, user: str, posts: Sequence[tuple[PhotoVectors, Sequence[str]]]) -> Self:
        return replace(self, folded={**self.folded, user: [tag for _, tags in posts for tag in tags]})

    def unknown(self, tags: Sequence[str]) -> list[str]:
        return [tag for tag in tags if tag not in self.tags]

    def vocabulary_of(self, user: str | None) -> Sequence[tuple[str, int]]:
        own = sorted(self._uses(user).items(), key=lambda item: -item[1])
        return [*own, *((tag, 0) for tag in self.tags if tag not in dict(own))]

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
