"""The baseline of co-occurrence: tags that go with the user's tags, and with those that others gave the photo."""

from typing import Self

import numpy as np
import polars as pl

from pipeline.data.vocabulary import codes, vocabulary
from pipeline.features.store import Features
from pipeline.models.config import CooccurrenceConfig
from pipeline.models.counts import usage, used
from pipeline.models.model import Baseline

CHUNK = 4096
"""Posts whose pairs of tags are counted at a time, which keeps memory flat."""

TIES = 1e-9
"""Weight of a tag's popularity: it orders what is otherwise equal, such as tags that go with none of the known ones."""


class Cooccurrence(Baseline):
    """Tags that co-occur with the tags of the user, and with the tags of the photo, mixed.

    Scores: personal · P(t | u) + (1 − personal) · P(t | i). Both are Σ_t' p(t' | ·) p(t | t'), the probability that a
    post has t when it has a tag drawn from what the user (or the photo) was tagged with: p(t' | ·) is the share of t'
    in those assignments, and p(t | t') = |t ∩ t'| / |t'| over all training posts, which is 1 for t itself. A photo has
    tags when other users posted it in training. A user or photo that is not known adds nothing, and equals are ordered
    by popularity.

    p(t | t') and its sum over given tags: Sigurbjörnsson & van Zwol, Flickr tag recommendation based on collective
    knowledge, WWW 2008. What a user's own habits add: Garg & Weber, Personalized, interactive tag recommendation for
    Flickr, RecSys 2008, who are given some tags of the post, where this task has none. The weighted mix of user and
    photo: Jäschke et al., Tag recommendations in social bookmarking systems, AI Communications 21 (2008), their ρ.

    Tensor "together", int32: |t ∩ t'|, (T, T), with |t| on its diagonal; the rest is what `usage` counts.
    """

    @classmethod
    def fit(cls, config: CooccurrenceConfig, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG003 (a baseline that sees nothing)
        users, photos, tags = (
            vocabulary(values) for values in (posts["user"], posts["photo"], posts["tags"].explode())
        )
        counted = usage(posts, "user", users, tags) | usage(posts, "photo", photos, tags)
        names = {"users": users, "photos": photos, "tags": tags}
        return cls(config, names, {"together": together(posts, tags)} | counted)

    def scores(self, posts: pl.DataFrame, features: Features) -> np.ndarray:  # noqa: ARG002 (a baseline that sees nothing)
        counts = self.tensors["together"].diagonal()
        given = self.tensors["together"] / counts[:, None]
        user, photo = (shares(used(self, by, posts)) for by in ("user", "photo"))
        mixed = self.config.personal * user + (1 - self.config.personal) * photo
        return mixed @ given + TIES * counts / counts.max()


def together(posts: pl.DataFrame, tags: list[str]) -> np.ndarray:
    """The number of posts that have both of two tags, (tags, tags) int32."""
    counts = np.zeros((len(tags), len(tags)), np.int32)
    for chunk in posts.select("tags").with_row_index("post").iter_slices(CHUNK):
        assignments = chunk.explode("tags")
        assignments = assignments.select("post", tag=pl.Series(codes(assignments["tags"], tags)))
        pairs = assignments.join(assignments, on="post")
        np.add.at(counts, (pairs["tag"].to_numpy(), pairs["tag_right"].to_numpy()), 1)
    return counts


def shares(counts: np.ndarray) -> np.ndarray:
    """Each row divided by its sum; a row of zeros stays so."""
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
