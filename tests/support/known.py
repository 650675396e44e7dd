"""A model whose scores are given."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipeline.data.schema import PHOTO, TAG
from pipeline.features.store import Features
from pipeline.models.model import BIAS, Model


class Known(Model):
    """A model with a known score for each photo and tag, (photos, tags)."""

    forms = None  # It is never read from a file.

    def __init__(self, scores: np.ndarray, tags: Sequence[str]):
        super().__init__(None, {TAG: tags}, {"scores": scores})

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:
        return {BIAS: self.tensors["scores"][features.rows(posts[PHOTO])]}
