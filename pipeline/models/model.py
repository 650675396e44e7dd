"""What every model is: a configuration, names and arrays, which give scores to tags."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import polars as pl

from pipeline.features.store import Features
from pipeline.models.config import ModelConfig


class Model(ABC):
    """A tag recommender that has been fitted.

    `names` holds the vocabularies that the rows of `tensors` stand for, each sorted: "tags" in every model (T, the tags
    of the training posts), "users" and "photos" where the model knows them.
    """

    def __init__(self, config: ModelConfig, names: Mapping[str, Sequence[str]], tensors: Mapping[str, np.ndarray]):
        self.config, self.names, self.tensors = config, names, tensors

    @property
    def tags(self) -> Sequence[str]:
        """T: the candidates, sorted; the columns of the scores."""
        return self.names["tags"]

    @abstractmethod
    def scores(self, posts: pl.DataFrame, features: Features) -> np.ndarray:
        """The scores of all tags for posts (columns user, photo): (posts, tags), the higher the better.

        A user or photo that the model does not know adds nothing. Raises InputError for a photo without the features
        that the model needs.
        """


class Baseline(Model):
    """A model that needs no training by BPR: it is counted, or found by rule."""

    @classmethod
    @abstractmethod
    def fit(cls, config: ModelConfig, posts: pl.DataFrame, features: Features) -> Self:
        """Fits to training posts (columns user, photo, tags).

        Raises InputError for a photo without the features that the model needs.
        """
