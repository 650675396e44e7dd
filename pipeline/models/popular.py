"""The baselines that count: most popular tags, and the user's own."""

from typing import Self

import numpy as np
import polars as pl

from pipeline.models.config import PopularConfig, UserPopularConfig
from pipeline.models.model import Model, codes, vocabulary
from pipeline.store import Features


class Popular(Model):
    """Every post gets the tags that are in most training posts. Scores: the number of posts."""

    @classmethod
    def fit(cls, config: PopularConfig, posts: pl.DataFrame) -> Self:
        """Counts the tags of training posts (columns user, photo, tags)."""
        tags = vocabulary(posts["tags"].explode())
        return cls(config, {"tags": tags}, {"counts": tag_counts(posts, tags)})

    def scores(self, posts: pl.DataFrame, features: Features) -> np.ndarray:  # noqa: ARG002 (a baseline that sees nothing)
        counts = self.tensors["counts"].astype(np.float64)
        return np.broadcast_to(counts, (len(posts), len(counts)))


class UserPopular(Model):
    """Every user gets the tags of most of their own training posts, filled up with the most popular tags.

    Scores: the number of the user's posts, plus the share (below 1) of the tag's posts among all, which orders what the
    user has used equally often, or never. A user who is not known gets the most popular tags.
    """

    @classmethod
    def fit(cls, config: UserPopularConfig, posts: pl.DataFrame) -> Self:
        """Counts the tags of each user's training posts (columns user, photo, tags); only counts above 0 are kept."""
        users, tags = vocabulary(posts["user"]), vocabulary(posts["tags"].explode())
        pairs = posts.explode("tags").group_by("user", "tags").len().sort("user", "tags")
        own = {"user": codes(pairs["user"], users), "tag": codes(pairs["tags"], tags), "own": pairs["len"].to_numpy()}
        return cls(config, {"users": users, "tags": tags}, {"counts": tag_counts(posts, tags)} | own)

    def scores(self, posts: pl.DataFrame, features: Features) -> np.ndarray:  # noqa: ARG002 (a baseline that sees nothing)
        counts = self.tensors["counts"]
        scores = np.tile(counts / (counts.max() + 1), (len(posts), 1))
        own = pl.DataFrame({name: self.tensors[name] for name in ("user", "tag", "own")})
        asked = pl.DataFrame({"user": codes(posts["user"], self.names["users"])}).with_row_index("row")
        found = asked.join(own, on="user")
        scores[found["row"].to_numpy(), found["tag"].to_numpy()] += found["own"].to_numpy()
        return scores


def tag_counts(posts: pl.DataFrame, tags: list[str]) -> np.ndarray:
    """The number of posts of each tag, int64."""
    return np.bincount(codes(posts["tags"].explode(), tags), minlength=len(tags))
