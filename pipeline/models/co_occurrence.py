"""The baseline of co-occurrence: tags that go with the user's tags, and with those that others gave the photo."""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.data.schema import PHOTO, TAG, TAGS, USER
from pipeline.data.vocabulary import codes, vocabularies
from pipeline.features.store import Features
from pipeline.files.forms import Form, FormError, integers
from pipeline.models.counts import TIE_BREAK, count_more, count_only, count_tags_by, counted_forms, counts_for, shares
from pipeline.models.model import BIAS, Baseline
from pipeline.models.settings import BaseModelConfig, NoFeatures

POSTS_PER_CHUNK = 4096
"""Posts whose pairs of tags are counted at a time, which keeps memory flat."""


MOST_TAGS = 20_000
"""Tags whose pairs are counted, at most: memory grows with their square, to 5 GB here."""


class CoOccurrenceConfig(BaseModelConfig):
    """The settings of co-occurring tags."""

    kind: Literal["co-occurrence"] = Field(description="Tags that co-occur with those of the user, and of the photo.")
    features: NoFeatures = Field(description="This baseline sees no photo.")
    personal: float = Field(
        ge=0, le=1, description="Weight of the user's tags; the photo's have the rest.", examples=[0.5]
    )


class CoOccurrence(Baseline):
    """Tags that co-occur with the tags of the user, and with the tags of the photo, mixed.

    Scores: personal · P(t | u) + (1 − personal) · P(t | i). Both are Σ_t' p(t' | ·) p(t | t'), the probability that a
    post has t when it has a tag drawn from what the user (or the photo) was tagged with: p(t' | ·) is the share of t'
    in those assignments, and p(t | t') = |t ∩ t'| / |t'| over all training posts, which is 1 for t itself. A photo has
    tags when other users posted it in training. A user or photo that is not known adds nothing, and ties are broken by
    popularity.

    p(t | t') and its sum over given tags: Sigurbjörnsson & van Zwol, Flickr tag recommendation based on collective
    knowledge, WWW 2008. The contribution of a user's own habits: Garg & Weber, Personalized, interactive tag
    recommendation for Flickr, RecSys 2008, who are given some tags of the post, where this task has none. The weighted
    mix of user and photo: Jäschke et al., Tag recommendations in social bookmarking systems, AI Communications 21
    (2008), their ρ.

    Tensor "together", int32: |t ∩ t'|, (T, T), with |t| on its diagonal; the rest is what `count_tags_by` counts.
    """

    Config = CoOccurrenceConfig
    most_tags = MOST_TAGS
    bytes_per_pair = 12  # The counts, and the shares with their sums.
    label = "Co-occurring tags"
    goes_by = "what goes with the user’s tags, and with the photo’s by others"

    @classmethod
    def fit(cls, config: CoOccurrenceConfig, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG003 (a baseline that sees nothing)
        """Counts pairs. Raises SettingError for more than MOST_TAGS tags."""
        names = vocabularies(posts, USER, PHOTO)
        cls.check_size(config, len(names[PHOTO]), len(names[TAG]))
        counted = count_tags_by(USER, posts, names) | count_tags_by(PHOTO, posts, names)
        return cls(config, names, {"together": together(posts, names[TAG])} | counted)

    @property
    def forms(self) -> Mapping[str, Form]:
        tags = self.count_of(TAG)
        return {"together": integers(tags, tags)} | counted_forms(self, USER) | counted_forms(self, PHOTO)

    def check(self, widths: Mapping[str, int] | None = None) -> None:
        super().check(widths)
        if not self.tensors["together"].diagonal().all():
            raise FormError("together has a tag of no post")

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:  # noqa: ARG002 (a baseline that sees nothing)
        counts = self.tensors["together"].diagonal()  # |t|, (T,)
        given = self.tensors["together"] / counts[:, None]  # p(t | t') in row t' and column t, (T, T)
        user, photo = (shares(counts_for(self, column, posts)) for column in (USER, PHOTO))  # p(t' | ·), (posts, T)
        return {
            USER: (self.config.personal * user) @ given,
            PHOTO: ((1 - self.config.personal) * photo) @ given,
            BIAS: np.broadcast_to(TIE_BREAK * counts / counts.max(), user.shape),
        }

    def _fold_in(self, user: str, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG002 (a baseline that sees nothing)
        users, by_user = count_more(self, USER, posts)
        photos, by_photo = count_more(self, PHOTO, posts)
        tensors = {"together": self.tensors["together"] + together(posts, self.tags)} | by_user | by_photo
        return self._with({USER: users, PHOTO: photos}, tensors)

    def _keep_users(self, users: Sequence[str]) -> Self:
        counted = count_only(self, USER, users) | count_only(self, PHOTO, [])
        return self._with({USER: users, PHOTO: []}, counted)


def together(posts: pl.DataFrame, tags: list[str]) -> np.ndarray:
    """Counts the posts that have both of two tags, int32 (T, T)."""
    counts = np.zeros((len(tags), len(tags)), np.int32)
    for chunk in posts.select(TAGS).with_row_index("post").iter_slices(POSTS_PER_CHUNK):
        assignments = chunk.explode(TAGS)
        assignments = assignments.select("post", pl.Series("column", codes(assignments[TAGS], tags)))
        pairs = assignments.join(assignments, on="post", suffix="_of_other")
        np.add.at(counts, (pairs["column"].to_numpy(), pairs["column_of_other"].to_numpy()), 1)
    return counts
