"""The baseline of fading habits: the user's own tags, the latest most, and those that others gave the photo."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.data.schema import PHOTO, TAG, USER
from pipeline.data.vocabulary import vocabularies
from pipeline.features.store import Features
from pipeline.files.forms import Form, integers
from pipeline.models.counts import (
    TIE_BREAK,
    count_more,
    count_only,
    count_tags,
    count_tags_by,
    counted_forms,
    counts_for,
    shares,
)
from pipeline.models.model import BIAS, Baseline
from pipeline.models.own_posts import OwnPosts, no_vectors
from pipeline.models.settings import BaseModelConfig, NoFeatures

LATELY = "lately"
"""The part of scores that comes from the user's own posts, by their times."""


class RecencyConfig(BaseModelConfig):
    """The settings of fading habits."""

    kind: Literal["recency"] = Field(description="The user's latest tags most, mixed with the photo's.")
    features: NoFeatures = Field(description="This baseline sees no photo.")
    fading: float = Field(
        ge=0,
        le=10,
        description="d, the power of time by which a post fades: 0 counts all alike, with 2 the nearest decide.",
        examples=[0.5],
    )
    personal: float = Field(
        ge=0, le=1, description="Weight of the user's tags; the photo's have the rest.", examples=[0.5]
    )


class Recency(Baseline):
    """The tags that the user used often and lately, and those that others gave the photo, mixed.

    Scores: personal · A(t, u) + (1 − personal) · P(t | i). A is the base-level activation of Anderson's theory of
    memory, ln Σ_j (1 + |now − t_j|)^−d over the user's posts j with t, by softmax over tags, which is that sum's share
    in all tags' sums; the unit of time is a minute. P(t | i) is the share of t in the photo's tag assignments. A user
    or photo that is not known adds nothing, and ties are broken by popularity. Where no time is known, each post counts
    alike.

    BLL+C's form by Kowald, Seitlinger, Trattner & Ley, Long time no see: the probability of reusing tags as a function
    of frequency and recency, WWW 2014, with d = 0.5. With a greater d the posts nearest in time decide.

    Tensors: those of `OwnPosts`, without vectors; the photo's counts; "counts" (T,), the posts of each tag.
    """

    Config = RecencyConfig
    label = "The user's latest tags"
    goes_by = "the user’s own tags, the latest most, and the photo’s by others"
    sees_times = True

    @classmethod
    def fit(cls, config: RecencyConfig, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG003 (a baseline that sees nothing)
        names = vocabularies(posts, USER, PHOTO)
        own = OwnPosts.of(posts, names[USER], names[TAG], no_vectors(posts))
        tensors = {"counts": count_tags(posts, names[TAG])} | count_tags_by(PHOTO, posts, names) | own.tensors
        return cls(config, names, tensors)

    @cached_property
    def part_words(self) -> Mapping[str, str]:
        """Words for the user's tags, which are their latest where times are known."""
        return {LATELY: "you used it lately" if OwnPosts.from_tensors(self.tensors).have_times else "you use it"}

    @property
    def forms(self) -> Mapping[str, Form]:
        return {"counts": integers(self.count_of(TAG), least=1)} | counted_forms(self, PHOTO) | OwnPosts.forms(self, 0)

    def check(self, widths: Mapping[str, int] | None = None) -> None:
        super().check(widths)
        OwnPosts.from_tensors(self.tensors).check()

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:  # noqa: ARG002 (a baseline that sees nothing)
        counts, personal, fading = self.tensors["counts"], self.config.personal, self.config.fading
        own = OwnPosts.from_tensors(self.tensors).votes(
            posts, self.names[USER], len(counts), no_vectors(posts), fading, 0
        )
        return {
            LATELY: personal * shares(own),
            PHOTO: (1 - personal) * shares(counts_for(self, PHOTO, posts)),
            BIAS: np.broadcast_to(TIE_BREAK * counts / counts.max(), own.shape),
        }

    def _fold_in(self, user: str, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG002 (a baseline that sees nothing)
        users, own = OwnPosts.from_tensors(self.tensors).learn(posts, self.names, no_vectors(posts))
        photos, by_photo = count_more(self, PHOTO, posts)
        tensors = {"counts": self.tensors["counts"] + count_tags(posts, self.tags)} | by_photo | own.tensors
        return self._with({USER: users, PHOTO: photos}, tensors)

    def _keep_users(self, users: Sequence[str]) -> Self:
        own = OwnPosts.from_tensors(self.tensors).keep(self.names[USER], users)
        return self._with({USER: users, PHOTO: []}, count_only(self, PHOTO, []) | own.tensors)
