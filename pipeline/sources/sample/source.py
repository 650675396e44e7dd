"""The sample as a source."""

from typing import ClassVar

import polars as pl
from pydantic import Field

from pipeline.data.schema import LEFT_OUT_TYPES
from pipeline.sources.base import Crawled, CrawlTask, Source

MAX_COUNT = 10_000
"""Users, or posts of each, at most: rendering takes minutes for a thousand photos."""


class SampleSource(Source):
    """The embedded sample: simulated users, rendered photos."""

    simulated: ClassVar[tuple[str, ...]] = (
        "The photos are rendered by the project.",
        "The users and their tags are simulated.",
        "The detector that comes with them was trained by the project, on other rendered scenes.",
    )
    labels: ClassVar[tuple[str, ...]] = ("rendered photos", "simulated users")

    users: int = Field(ge=1, le=MAX_COUNT, description="Simulated users who post photos.")
    posts: int = Field(ge=1, le=MAX_COUNT, description="Photos that each of them takes.")
    seed: int = Field(ge=0, description="Seed of people, scenes and tags: another seed, another sample.")

    def collect(self, task: CrawlTask) -> Crawled:
        """Simulates the users and renders their photos; nothing is left out."""
        from pipeline.sources.sample.sample import make_sample, pack_photos  # The drawing code is large.

        sample = make_sample(self.users, self.posts, self.seed)
        pack_photos(sample.photos, task.photos, task.work)
        return Crawled(sample.posts, pl.DataFrame(schema=LEFT_OUT_TYPES))
