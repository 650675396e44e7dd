"""The paper's measure: precision, recall and F1 at K (Eq. 10), and the suggestions behind them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.data.vocabulary import codes
from pipeline.errors import InputError
from pipeline.features.store import Features
from pipeline.models.model import Model
from pipeline.models.ranking import suggest

LENGTH = 10
"""K runs from 1 to this; as many tags are suggested for a post."""


@dataclass(frozen=True)
class Ranking:
    """What a model suggests for test posts, row by row in their order.

    top: (posts, 10) int64 positions in the model's tags, fewer columns where there are fewer tags; scores: alike,
    float32; hits: (posts, 10) bool, whether the suggestion is one of the post's tags, false where there is none; sizes:
    (posts,) int64, |T_ui|, with the tags that the model cannot know.
    """

    top: np.ndarray
    scores: np.ndarray
    hits: np.ndarray
    sizes: np.ndarray


def rank(model: Model, posts: pl.DataFrame, features: Features) -> Ranking:
    """Suggests tags for test posts (columns user, photo, tags). All tags of the model are candidates.

    Raises InputError when there are no posts.
    """
    if posts.is_empty():
        raise InputError("There is no test post to evaluate: let the recipe's split leave some out.")
    suggestions = suggest(model, posts, features, LENGTH)
    true = posts.select("tags").with_row_index("row").explode("tags")
    rows, tags = true["row"].to_numpy().astype(np.int64), codes(true["tags"], model.tags)
    # A post and a tag as one number: row · T + the tag's position.
    relevant = (rows * len(model.tags) + tags)[tags >= 0]
    suggested = np.arange(len(posts))[:, None] * len(model.tags) + suggestions.top
    hits = np.zeros((len(posts), LENGTH), bool)
    hits[:, : suggested.shape[1]] = np.isin(suggested, relevant)
    return Ranking(suggestions.top, suggestions.scores, hits, posts["tags"].list.len().cast(pl.Int64).to_numpy())


def curve(ranking: Ranking) -> pl.DataFrame:
    """k, precision, recall and f1 for K = 1..10 (Eq. 10).

    Precision (which divides by K) and recall are averaged over all posts first; F1 is the harmonic mean of the two
    averages, 0 where both are.
    """
    k = np.arange(1, LENGTH + 1)
    found = ranking.hits.cumsum(axis=1)
    precision = (found / k).mean(axis=0)
    recall = (found / ranking.sizes[:, None]).mean(axis=0)
    both = precision + recall
    f1 = 2 * precision * recall / np.where(both == 0, 1, both)
    return pl.DataFrame({"k": k, "precision": precision, "recall": recall, "f1": f1})


def metrics(ranking: Ranking) -> dict[str, float]:
    """The curve as flat names: "f1@1" … "f1@10", "precision@1" …, "recall@1" …"""
    table = curve(ranking)
    return {f"{name}@{row['k']}": row[name] for name in ("f1", "precision", "recall") for row in table.to_dicts()}


def mean_curve(rankings: Sequence[Ranking]) -> pl.DataFrame:
    """`curve`, averaged over the same posts ranked by models from several seeds."""
    return pl.concat([curve(ranking) for ranking in rankings]).group_by("k", maintain_order=True).mean()


def metrics_over_seeds(rankings: Sequence[Ranking]) -> dict[str, float]:
    """`metrics`, averaged over models from several seeds, and of each "…_deviation", the standard deviation (n − 1).

    Of one model there is no deviation.
    """
    each = [metrics(ranking) for ranking in rankings]
    means = {name: statistics.fmean(values[name] for values in each) for name in each[0]}
    if len(each) == 1:
        return means
    return means | {f"{name}_deviation": statistics.stdev(values[name] for values in each) for name in means}


def recommendations(ranking: Ranking, posts: pl.DataFrame, tags: list[str]) -> pl.DataFrame:
    """user, photo, tags (the 10 best, best first) and scores (float32) of each test post, in the posts' order."""
    names = np.array(tags, dtype=object)[ranking.top]
    return posts.select("user", "photo").with_columns(
        tags=pl.Series(names.tolist(), dtype=pl.List(pl.String)),
        scores=pl.Series(ranking.scores.tolist(), dtype=pl.List(pl.Float32)),
    )
