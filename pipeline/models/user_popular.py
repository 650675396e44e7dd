"""The baseline of the user's own tags."""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.data.schema import TAG, USER
from pipeline.data.vocabulary import vocabularies
from pipeline.features.store import Features
from pipeline.files.forms import Form, integers
from pipeline.models.counts import count_more, count_only, count_tags, count_tags_by, counted_forms, counts_for
from pipeline.models.model import BIAS, Baseline
from pipeline.models.settings import BaseModelConfig, NoFeatures


class UserPopularConfig(BaseModelConfig):
    """The settings of the user's own tags."""

    kind: Literal["user-popular"] = Field(description="The user's most frequent tags, then the most popular ones.")
    features: NoFeatures = Field(description="This baseline sees no photo.")


class UserPopular(Baseline):
    """The tags of most of the user's own training posts, then the most popular tags.

    Scores: the number of the user's posts, plus the share (below 1) of the tag's posts among all, which orders tags
    that the user has used equally often, or never. A user who is not known gets the most popular tags.
    """

    Config = UserPopularConfig
    label = "User's own tags"
    goes_by = "the user’s own tags, counted"

    @classmethod
    def fit(cls, config: UserPopularConfig, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG003 (a baseline that sees nothing)
        names = vocabularies(posts, USER)
        return cls(config, names, {"counts": count_tags(posts, names[TAG])} | count_tags_by(USER, posts, names))

    @property
    def forms(self) -> Mapping[str, Form]:
        return {"counts": integers(self.count_of(TAG), least=1)} | counted_forms(self, USER)

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:  # noqa: ARG002 (a baseline that sees nothing)
        counts = self.tensors["counts"]
        popularity = counts / (counts.max() + 1)
        return {USER: counts_for(self, USER, posts), BIAS: np.broadcast_to(popularity, (len(posts), len(counts)))}

    def _fold_in(self, user: str, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG002 (a baseline that sees nothing)
        names, counted = count_more(self, USER, posts)
        counts = self.tensors["counts"] + count_tags(posts, self.tags)
        return self._with({USER: names}, {"counts": counts} | counted)

    def _keep_users(self, users: Sequence[str]) -> Self:
        return self._with({USER: users}, count_only(self, USER, users))
