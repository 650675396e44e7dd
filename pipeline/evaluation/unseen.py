"""Users and tags of test posts that training has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl

from pipeline.data.schema import TAGS, USER
from pipeline.evaluation.curves import metrics_over_seeds
from pipeline.evaluation.metrics.measure import DEPTH
from pipeline.evaluation.ranking import Ranking

HOT, COLD = "hot", "cold"
"""Users with training posts, and users without any."""


def metrics_by_users(rankings: Sequence[Ranking], test: pl.DataFrame, train: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Measures the test posts of hot and of cold users apart; returns nothing where all are hot.

    By "hot" and "cold", where there is a post: `posts`, their number, and `metrics_over_seeds`.
    """
    known = test[USER].is_in(train[USER].unique().implode()).to_numpy()
    if known.all():
        return {}
    masks = {name: mask for name, mask in ((HOT, known), (COLD, ~known)) if mask.any()}
    return {
        name: {"posts": int(mask.sum())} | metrics_over_seeds([ranking.select(mask) for ranking in rankings])
        for name, mask in masks.items()
    }


@dataclass(frozen=True)
class NewTags:
    """The tag assignments of test posts whose tag no training post has: no model can suggest it."""

    new: int
    """The number of these assignments."""

    assignments: int
    """The number of all tag assignments of the test posts."""

    recall: float
    """The highest recall that they leave, whatever K: the mean share of a post's tags that are known."""

    @classmethod
    def of(cls, test: pl.DataFrame, train: pl.DataFrame) -> Self:
        """Counts them in test posts, at least one, against training posts (columns tags)."""
        found, sizes = _known(test, train), test[TAGS].list.len()
        return cls(int((sizes - found).sum()), int(sizes.sum()), float(np.mean(found.to_numpy() / sizes.to_numpy())))


def perfect_ranking(test: pl.DataFrame, train: pl.DataFrame) -> Ranking:
    """Ranks first the tags of each test post that training posts have (columns tags): no model can do better."""
    return _found_first(_known(test, train), test)


def perfect_ranking_of_own(test: pl.DataFrame, train: pl.DataFrame) -> Ranking:
    """Ranks first the tags of each test post that training posts of its user have (columns user, tags)."""
    own = train.explode(TAGS).group_by(USER).agg(own=pl.col(TAGS).unique())
    posts = test.select(USER, TAGS).join(own, on=USER, how="left", maintain_order="left")
    return _found_first(posts.select(pl.col(TAGS).list.set_intersection("own").list.len().fill_null(0))[TAGS], test)


def _known(test: pl.DataFrame, train: pl.DataFrame) -> pl.Series:
    """Counts the tags of each test post that training posts have."""
    known = train[TAGS].explode().unique()
    return test.select(pl.col(TAGS).list.eval(pl.element().is_in(known.implode())).list.sum())[TAGS]


def _found_first(found: pl.Series, test: pl.DataFrame) -> Ranking:
    """Ranks as many right tags first as are found for each post."""
    sizes = test[TAGS].list.len().cast(pl.Int64).to_numpy()
    return Ranking(np.arange(DEPTH) < found.to_numpy()[:, None], sizes)
