"""The sample: posts now, photos when asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.data.photo import Photo
from pipeline.data.shards import pack
from pipeline.sources.sample.config import SampleConfig
from pipeline.sources.sample.people import imagine, person, tag
from pipeline.sources.sample.render import encode, render
from pipeline.sources.sample.scene import Scene

SHARED = 0.03
"""The share of photos that a second user posts, too."""
START, SPAN = 1_420_070_400_000, 3 * 365 * 86_400_000
"""Posts lie in three years from 2015 on (ms)."""

_PERSON, _POST, _PICTURE = range(3)


@dataclass(frozen=True)
class Gallery:
    """Photos by id, rendered one at a time while they are iterated over, as often as one likes."""

    scenes: dict[str, Scene]
    seed: int

    def __len__(self) -> int:
        return len(self.scenes)

    def __iter__(self) -> Iterator[Photo]:
        return map(self.load, self.scenes)

    def load(self, photo: str) -> Photo:
        """The photo of an id."""
        picture = render(self.scenes[photo], _rng(self.seed, _PICTURE, int(photo.removeprefix("s")))).picture
        return Photo(photo, encode(picture), *picture.size)


@dataclass(frozen=True)
class Sample:
    """Who posted what with which tags (user, photo, tags, time in ms; sorted by user, photo), and the photos."""

    posts: pl.DataFrame
    photos: Gallery


def make_sample(config: SampleConfig) -> Sample:
    """Simulates users and what they post. A user and their photos do not depend on how many others there are.

    A few photos are posted by an earlier user too, in that user's words and some days later.
    """
    rows, scenes = [], {}
    people = [person(number, _rng(config.seed, _PERSON, number)) for number in range(config.users)]
    for number, who in enumerate(people):
        for turn in range(config.posts):
            rng = _rng(config.seed, _POST, number, turn)
            photo = f"s{number * config.posts + turn:06d}"
            scene, when = imagine(who, rng), START + int(rng.integers(SPAN))
            scenes[photo] = scene
            rows.append((who.name, photo, tag(who, scene, when, rng), when))
            if number and rng.random() < SHARED:
                friend, later = people[rng.integers(number)], when + int(rng.integers(30 * 86_400_000))
                rows.append((friend.name, photo, tag(friend, scene, later, rng), later))
    schema = {"user": pl.String, "photo": pl.String, "tags": pl.List(pl.String), "time": pl.Int64}
    return Sample(pl.DataFrame(rows, schema, orient="row").sort("user", "photo"), Gallery(scenes, config.seed))


def collect(config: SampleConfig, photos: Path, work: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The sample's posts, with their photos packed into `photos`; and what was left out: nothing."""
    sample = make_sample(config)
    # Drawn by pure Python, which threads do not speed up.
    pack(sample.photos.scenes, sample.photos.load, photos, work, f"sample {config.seed}", threads=1)
    return sample.posts, pl.DataFrame(schema=dict.fromkeys(("user", "photo", "reason"), pl.String))


def _rng(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
