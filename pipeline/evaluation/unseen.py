"""Users and tags of test posts that training has not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl

from pipeline.data.schema import TAGS, TAGS_AS_TRAINED, USER
from pipeline.evaluation.curves import metrics_over_seeds
from pipeline.evaluation.metrics.measure import DEPTH
from pipeline.evaluation.ranking import Ranking, find_hits, recommend
from pipeline.features.store import Features
from pipeline.models.model import Model
from pipeline.progress import track

HOT, WARM, COLD = "hot", "warm", "cold"
"""Users with training posts; new users, folded in; users whom the model as trained does not know, new ones included."""


def divide_by_users(test: pl.DataFrame, train: pl.DataFrame, new: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Returns the test posts of hot, of warm and of cold users; nothing where all are hot.

    new: the posts from which new users are folded in. A group without test posts is left out.
    """
    groups = {
        HOT: test.join(train, on=USER, how="semi", maintain_order="left"),
        WARM: test.join(new, on=USER, how="semi", maintain_order="left"),
        COLD: test.join(train, on=USER, how="anti", maintain_order="left"),
    }
    return {} if groups[COLD].is_empty() else {name: posts for name, posts in groups.items() if len(posts)}


def recommend_after_folding_in(model: Model, test: pl.DataFrame, new: pl.DataFrame, features: Features) -> pl.DataFrame:
    """Suggests tags for test posts as `recommend` does, after folding new users into the model.

    new: the posts from which they are folded in. Where there are some, the column tags_as_trained has the suggestions
    of the model before that.
    """
    if new.is_empty():
        return recommend(model, test, features)
    as_trained = recommend(model, test, features)[TAGS].alias(TAGS_AS_TRAINED)
    return recommend(fold_in_users(model, new, features), test, features).with_columns(as_trained)


def fold_in_users(model: Model, new: pl.DataFrame, features: Features) -> Model:
    """Folds new users into a model, each from their posts (columns user, photo, tags, perhaps time)."""
    if new.is_empty():
        return model
    users = new.partition_by(USER, maintain_order=True)
    for posts in track(users, "folding in", len(users), "users"):
        model = model.fold_in(posts[USER][0], posts, features)
    return model


def find_hits_of(group: str, posts: pl.DataFrame, suggestions: pl.DataFrame) -> Ranking:
    """Finds the hits in a group's test posts; for cold users those of the model as trained.

    suggestions: as `recommend_after_folding_in` returns them.
    """
    if group == COLD and TAGS_AS_TRAINED in suggestions.columns:
        suggestions = suggestions.with_columns(pl.col(TAGS_AS_TRAINED).alias(TAGS))
    return find_hits(posts, suggestions)


def metrics_by_users(
    suggestions: Sequence[pl.DataFrame], groups: Mapping[str, pl.DataFrame]
) -> dict[str, dict[str, Any]]:
    """Measures groups of test posts (`divide_by_users`) apart: `posts`, their number, and `metrics_over_seeds`.

    suggestions: those of models from several seeds, as `recommend_after_folding_in` returns them.
    """
    return {
        name: {"posts": len(posts)} | metrics_over_seeds([find_hits_of(name, posts, one) for one in suggestions])
        for name, posts in groups.items()
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


def perfect_ranking_of_own(test: pl.DataFrame, train: pl.DataFrame, new: pl.DataFrame) -> Ranking:
    """Ranks first the known tags of each test post that its user's training or folded-in posts have.

    train, new: the training posts and the folded-in ones (columns user, tags). Only training posts make a tag known.
    """
    known = train[TAGS].explode().unique()
    used = pl.concat([posts.select(USER, TAGS).explode(TAGS) for posts in (train, new)])
    own = used.filter(pl.col(TAGS).is_in(known.implode())).group_by(USER).agg(own=pl.col(TAGS).unique())
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
