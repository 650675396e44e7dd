"""The baseline of mixed counts: the user's own tags, and those that others gave the photo."""

from collections.abc import Mapping, Sequence
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
from pipeline.models.settings import BaseModelConfig, NoFeatures


class MixedPopularConfig(BaseModelConfig):
    """The settings of mixed counts."""

    kind: Literal["mixed-popular"] = Field(description="The most frequent tags of the user and of the photo, mixed.")
    features: NoFeatures = Field(description="This baseline sees no photo.")
    personal: float = Field(
        ge=0, le=1, description="Weight of the user's tags; the photo's have the rest.", examples=[0.5]
    )


class MixedPopular(Baseline):
    """The tags that the user uses most, and those that others gave the photo most, mixed.

    Scores: personal · P(t | u) + (1 − personal) · P(t | i), where P(t | ·) is the share of t in the tag assignments of
    the user, or of the photo. A user or photo that is not known adds nothing, and ties are broken by popularity.

    MP_u,r of Jäschke, Marinho, Hotho, Schmidt-Thieme & Stumme, Tag recommendations in social bookmarking systems, AI
    Communications 21 (2008); personal is their ρ.
    """

    Config = MixedPopularConfig
    label = "The user's and the photo's tags"
    goes_by = "the user’s own tags, and the photo’s by others, counted"

    @classmethod
    def fit(cls, config: MixedPopularConfig, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG003 (a baseline that sees nothing)
        names = vocabularies(posts, USER, PHOTO)
        counted = count_tags_by(USER, posts, names) | count_tags_by(PHOTO, posts, names)
        return cls(config, names, {"counts": count_tags(posts, names[TAG])} | counted)

    @property
    def forms(self) -> Mapping[str, Form]:
        return (
            {"counts": integers(self.count_of(TAG), least=1)} | counted_forms(self, USER) | counted_forms(self, PHOTO)
        )

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:  # noqa: ARG002 (a baseline that sees nothing)
        counts, personal = self.tensors["counts"], self.config.personal
        user, photo = (shares(counts_for(self, column, posts)) for column in (USER, PHOTO))  # P(t | ·), (posts, T)
        return {
            USER: personal * user,
            PHOTO: (1 - personal) * photo,
            BIAS: np.broadcast_to(TIE_BREAK * counts / counts.max(), user.shape),
        }

    def _fold_in(self, user: str, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG002 (a baseline that sees nothing)
        users, by_user = count_more(self, USER, posts)
        photos, by_photo = count_more(self, PHOTO, posts)
        counts = self.tensors["counts"] + count_tags(posts, self.tags)
        return self._with({USER: users, PHOTO: photos}, {"counts": counts} | by_user | by_photo)

    def _keep_users(self, users: Sequence[str]) -> Self:
        counted = count_only(self, USER, users) | count_only(self, PHOTO, [])
        return self._with({USER: users, PHOTO: []}, counted)
