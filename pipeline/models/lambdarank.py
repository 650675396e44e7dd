"""A blend of models with trees that rank its best tags anew, fitted by LightGBM's LambdaRank."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.features.store import Features
from pipeline.files.forms import Form, FormError
from pipeline.models.blend import POSTS_PER_CHUNK, Blend, BlendConfig, comparable
from pipeline.models.neighbours import least
from pipeline.models.own_posts import histories
from pipeline.models.trees import Trees

TREES = "trees"
"""The part of scores that comes from the trees."""

RANKED_TAGS = 50
"""Tags of a post that the trees rank, at most: those that the blend ranks highest."""

HISTORY_INPUTS = 2
"""The inputs of trees that are the same for all tags of a post: those of `histories`."""

DECIMALS = 3
"""Decimals of the numbers that trees compare and start from.

The last digits of scores differ with processors and their threads; trees that saw them would be others, which rank
otherwise.
"""

MAX_TREES = 1000
"""Trees, at most: time and the length of a file grow with them."""


class LambdaRankConfig(BlendConfig):
    """The settings of a blend with trees."""

    with_trees: ClassVar[bool] = True

    kind: Literal["lambdarank"] = Field(
        description="The weighted sum of other models' scores, and trees that rank its best tags anew."
    )
    trees: int = Field(ge=1, le=MAX_TREES, description="Trees that are fitted to validation posts.", examples=[100])


class LambdaRank(Blend):
    """A blend, and trees that add to the scores of its best tags.

    Scores: those of `Blend`, L(t), plus f(t) for the RANKED_TAGS tags of a post with the greatest L; f is the sum of
    the trees' leaves for the tag's inputs (`inputs_of`). All other tags get the least f of the candidates: so they keep
    their order, and none passes a candidate. Without trees, as where there was no validation post, the scores are L.
    What the trees add is a part of its own.

    Burges, From RankNet to LambdaRank to LambdaMART, Microsoft Research, MSR-TR-2010-82; Ke et al., LightGBM, NeurIPS
    2017.

    Tensors: those of `Trees`.
    """

    Config = LambdaRankConfig
    label = "Blend with trees"
    goes_by = "a weighted sum of other models, and trees over their scores"

    @property
    def forms(self) -> Mapping[str, Form]:
        return Trees.forms(len(self.config.models) + HISTORY_INPUTS)

    def check(self, widths: Mapping[str, int] | None = None) -> None:
        super().check(widths)
        trees = Trees.from_tensors(self.tensors)
        trees.check()
        if len(trees.tree_leaf) > self.config.trees:
            raise FormError(f"it has {len(trees.tree_leaf)} trees, where {self.config.trees} are fitted at most")

    def scores(self, posts: pl.DataFrame, features: Features) -> np.ndarray:
        linear, of_trees = self._addends(posts, features)
        return linear + of_trees

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:
        return super().parts(posts, features) | {TREES: self._addends(posts, features)[1]}

    @property
    def part_words(self) -> Mapping[str, str]:
        return {**super().part_words, TREES: "what the models say together"}

    def _addends(self, posts: pl.DataFrame, features: Features) -> tuple[np.ndarray, np.ndarray]:
        """Returns the addends of the scores, float64 (posts, T) each: the weighted sum, L, and what the trees add."""
        models = [self.components[name] for name in self.config.models]
        of_models = [model.scores(posts, features) for model in models]
        history = first_known(np.stack([histories(model, posts, features) for model in models]))
        trees, linear, added = Trees.from_tensors(self.tensors), *np.zeros((2, len(posts), len(self.tags)))
        for low in range(0, len(posts), POSTS_PER_CHUNK):
            chunk = slice(low, low + POSTS_PER_CHUNK)
            scores = np.stack([comparable(each[chunk]) for each in of_models])  # (models, n, T)
            linear[chunk] = self.weighted(scores)
            best = best_of(linear[chunk])
            inputs = inputs_of(np.take_along_axis(scores, best[None], axis=2), history[chunk])
            found = trees.scores(inputs).reshape(best.shape)  # (n, candidates)
            added[chunk] = found.min(axis=1, keepdims=True)
            np.put_along_axis(added[chunk], best, found, axis=1)
        return linear, added


def best_of(scores: np.ndarray) -> np.ndarray:
    """Returns the positions of the RANKED_TAGS tags with the highest scores, int64 (posts, candidates).

    They are in no order; among equal scores, the first are taken, where `argpartition` takes others on other
    processors.
    """
    count = min(RANKED_TAGS, scores.shape[1])
    return np.array([least(-of_post, count) for of_post in scores], np.int64).reshape(-1, count)


def inputs_of(scores: np.ndarray, history: np.ndarray) -> np.ndarray:
    """Returns the numbers that trees compare, float32 (posts · candidates, models + HISTORY_INPUTS), post by post.

    scores: the models' comparable ones of each tag, (models, posts, candidates). history: the numbers of `histories`,
    (posts, 2), by which a tree can weigh models that know the user's posts against those that see the photo. All are
    rounded to DECIMALS.
    """
    rows, of_rows = scores.reshape(len(scores), -1).T, np.repeat(history, scores.shape[2], axis=0)
    return np.concatenate([rows, of_rows], axis=1, dtype=np.float32).round(DECIMALS)


def first_known(of_models: np.ndarray) -> np.ndarray:
    """Returns each number by the first of the models that knows it, (posts, 2): of `histories`, (models, posts, 2)."""
    return np.take_along_axis(of_models, (~np.isnan(of_models)).argmax(axis=0)[None], axis=0)[0]
