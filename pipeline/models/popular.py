"""The baseline of most popular tags."""

from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.data.schema import TAG, TAGS
from pipeline.data.vocabulary import vocabulary
from pipeline.features.store import Features
from pipeline.files.forms import Form, integers
from pipeline.models.counts import count_tags
from pipeline.models.model import BIAS, Baseline
from pipeline.models.settings import BaseModelConfig, NoFeatures


class PopularConfig(BaseModelConfig):
    """The settings of most popular tags."""

    kind: Literal["popular"] = Field(description="The tags in most training posts, for every post.")
    features: NoFeatures = Field(description="This baseline sees no photo.")


class Popular(Baseline):
    """The tags of most training posts, the same for every post. Scores: the number of posts."""

    Config = PopularConfig
    label = "Most popular tags"
    goes_by = "nothing: the same tags for everyone"

    @classmethod
    def fit(cls, config: PopularConfig, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG003 (a baseline that sees nothing)
        tags = vocabulary(posts[TAGS].explode())
        return cls(config, {TAG: tags}, {"counts": count_tags(posts, tags)})

    @property
    def forms(self) -> Mapping[str, Form]:
        return {"counts": integers(self.count_of(TAG), least=1)}

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:  # noqa: ARG002 (a baseline that sees nothing)
        counts = self.tensors["counts"].astype(np.float64)
        return {BIAS: np.broadcast_to(counts, (len(posts), len(counts)))}
