"""The baselines that count: most popular tags, and the user's own."""

from typing import Self

import numpy as np
import polars as pl

from pipeline.data.vocabulary import vocabulary
from pipeline.features.store import Features
from pipeline.models.config import PopularConfig, UserPopularConfig
from pipeline.models.counts import tag_counts, usage, used
from pipeline.models.model import Baseline


class Popular(Baseline):
    """Every post gets the tags that are in most training posts. Scores: the number of posts."""

    @classmethod
    def fit(cls, config: PopularConfig, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG003 (a baseline that sees nothing)
        tags = vocabulary(posts["tags"].explode())
        return cls(config, {"tags": tags}, {"counts": tag_counts(posts, tags)})

    def scores(self, posts: pl.DataFrame, features: Features) -> np.ndarray:  # noqa: ARG002 (a baseline that sees nothing)
        counts = self.tensors["counts"].astype(np.float64)
        return np.broadcast_to(counts, (len(posts), len(counts)))


class UserPopular(Baseline):
    """Every user gets the tags of most of their own training posts, filled up with the most popular tags.

    Scores: the number of the user's posts, plus the share (below 1) of the tag's posts among all, which orders what the
    user has used equally often, or never. A user who is not known gets the most popular tags.
    """

    @classmethod
    def fit(cls, config: UserPopularConfig, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG003 (a baseline that sees nothing)
        users, tags = vocabulary(posts["user"]), vocabulary(posts["tags"].explode())
        tensors = {"counts": tag_counts(posts, tags)} | usage(posts, "user", users, tags)
        return cls(config, {"users": users, "tags": tags}, tensors)

    def scores(self, posts: pl.DataFrame, features: Features) -> np.ndarray:  # noqa: ARG002 (a baseline that sees nothing)
        counts = self.tensors["counts"]
        return used(self, "user", posts) + counts / (counts.max() + 1)
