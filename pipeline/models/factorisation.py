"""The eight models of the paper as one: contexts that each give a k-vector for a post, dotted with tag factors."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from pipeline.data.vocabulary import codes
from pipeline.features.store import Features, feature_names
from pipeline.models.config import FactorisationConfig
from pipeline.models.model import Model


@dataclass(frozen=True)
class Contexts:
    """What a model knows a post by (`names`), and which columns of the tag factors each context meets.

    FM has one tag matrix of k columns for all contexts (Eq. 4, 6). PITF has one for each (Eq. 5, 7): they stand side by
    side in a matrix of k columns a context. The post's vector is laid out alike, so that a score is one dot product.
    """

    names: tuple[str, ...]
    shared: bool
    factors: int

    @classmethod
    def of(cls, config: FactorisationConfig, factors: int) -> Self:
        """The user, and the photo: by its features, or, in a model without features, by a factor of its own."""
        return cls(("user", *(feature_names(config.features) or ("photo",))), config.kind == "fm", factors)

    @property
    def width(self) -> int:
        """The number of columns of the tag factors."""
        return self.factors if self.shared else self.factors * len(self.names)

    def columns(self, name: str) -> slice:
        """The columns of the tag factors that a context meets."""
        start = 0 if self.shared else self.factors * self.names.index(name)
        return slice(start, start + self.factors)


def has_bias(config: FactorisationConfig) -> bool:
    """Whether tags have a bias w_t: all models but plain PITF do (Eq. 5)."""
    return config.kind == "fm" or config.features != "none"


class Factorisation(Model):
    """FM or PITF, with or without features. Trained by `pipeline.training.bpr.train`; scoring needs no torch.

    Tensors, all float32: "user" (U, k), "photo" (I, k) or "image" (512, k) and "objects" (80, k), "tag" (T, k or k a
    context), "bias" (T,).
    """

    def scores(self, posts: pl.DataFrame, features: Features) -> np.ndarray:
        contexts = Contexts.of(self.config, self.tensors["user"].shape[1])
        vectors = np.zeros((len(posts), contexts.width), np.float32)
        for name in contexts.names:
            vectors[:, contexts.columns(name)] += self.context(name, posts, features)
        return vectors @ self.tensors["tag"].T + self.tensors.get("bias", 0)

    def context(self, name: str, posts: pl.DataFrame, features: Features) -> np.ndarray:
        """The k-vectors that one context gives for posts, (posts, k); zero for a user or photo that is not known."""
        if name in ("user", "photo"):
            rows = codes(posts[name], self.names[f"{name}s"])
            return np.where(rows[:, None] >= 0, self.tensors[name][rows], 0)
        return features.matrices[name][features.rows(posts["photo"])] @ self.tensors[name]
