"""The sample: posts made at once, photos rendered on demand."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.data.photo import Photo
from pipeline.data.schema import POST, POST_TYPES, TIME
from pipeline.data.shards import pack
from pipeline.files.seal import sha256
from pipeline.sources.sample.people import imagine, person, tag
from pipeline.sources.sample.render import encode, render
from pipeline.sources.sample.scene import Scene

CODE = Path(__file__).parent
"""The folder of the code that decides how a photo looks."""
SHARED = 0.03
"""The share of photos that a second user posts as well."""
START, SPAN = 1_420_070_400_000, 3 * 365 * 86_400_000
"""The start and the length of the time of all posts: three years from 2015 (ms)."""

_PERSON, _POST, _PICTURE = range(3)


@dataclass(frozen=True)
class Gallery:
    """Photos by id, rendered one at a time whenever they are iterated over."""

    scenes: dict[str, Scene]
    """The scene that each photo shows."""
    seed: int
    """Seed of the rendering."""

    def __len__(self) -> int:
        return len(self.scenes)

    def __iter__(self) -> Iterator[Photo]:
        return map(self.load, self.scenes)

    def load(self, photo: str) -> Photo:
        """Renders the photo of an id."""
        picture = render(self.scenes[photo], _rng(self.seed, _PICTURE, int(photo.removeprefix("s")))).picture
        return Photo(photo, encode(picture), *picture.size)


@dataclass(frozen=True)
class Sample:
    """Simulated posts, and the photos in them."""

    posts: pl.DataFrame
    """user, photo, tags, time (ms since 1970), sorted by user and photo."""
    photos: Gallery
    """Their photos."""


def make_sample(users: int, posts: int, seed: int) -> Sample:
    """Simulates users and what they post: a user and their photos do not depend on how many others there are.

    users: their number. posts: the number of photos that each of them takes. A few photos are also posted by an earlier
    user, in that user's words and some days later.
    """
    rows, scenes = [], {}
    people = [person(number, _rng(seed, _PERSON, number)) for number in range(users)]
    for number, who in enumerate(people):
        for turn in range(posts):
            rng = _rng(seed, _POST, number, turn)
            photo = f"s{number * posts + turn:06d}"
            scene, when = imagine(who, rng), START + int(rng.integers(SPAN))
            scenes[photo] = scene
            rows.append((who.name, photo, tag(who, scene, when, rng), when))
            if number and rng.random() < SHARED:
                friend, later = people[rng.integers(number)], when + int(rng.integers(30 * 86_400_000))
                rows.append((friend.name, photo, tag(friend, scene, later, rng), later))
    types = POST_TYPES | {TIME: pl.Int64}
    return Sample(pl.DataFrame(rows, types, orient="row").sort(POST), Gallery(scenes, seed))


def pack_photos(gallery: Gallery, photos: Path, work: Path) -> None:
    """Renders the photos into the shards of a folder (see `shards.pack`)."""
    drawing = [sha256(file) for file in sorted(CODE.glob("*.py"))]
    # Pure Python draws them, which threads do not speed up.
    pack(gallery.scenes, gallery.load, photos, work, f"sample {gallery.seed} {drawing}", threads=1)


def _rng(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
