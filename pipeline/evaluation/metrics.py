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

LENGTH = 10
"""K runs from 1 to this; as many tags are suggested for a post."""

CHUNK = 1024
"""Posts scored at a time: memory stays flat, and each post's scores are the same in every run."""


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
    chunks = [rank_chunk(model, chunk, features) for chunk in posts.iter_slices(CHUNK)]
    top, scores, hits = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    return Ranking(top, scores, hits, posts["tags"].list.len().cast(pl.Int64).to_numpy())


def rank_chunk(model: Model, posts: pl.DataFrame, features: Features) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`top`, `scores` and `hits` of some posts."""
    scores = model.scores(posts, features)
    top = top_tags(scores, LENGTH)
    true = posts.select("tags").with_row_index("row").explode("tags")
    column = codes(true["tags"], model.tags)
    relevant = np.zeros(scores.shape, bool)
    relevant[true["row"].to_numpy()[column >= 0], column[column >= 0]] = True
    hits = np.zeros((len(posts), LENGTH), bool)
    hits[:, : top.shape[1]] = np.take_along_axis(relevant, top, axis=1)
    return top, np.take_along_axis(scores, top, axis=1).astype(np.float32), hits


def top_tags(scores: np.ndarray, length: int) -> np.ndarray:
    """The positions of the highest scores of each row, best first, (posts, length or fewer); of equals, the first.

    One maximum after another: `argmax` takes the first of equals, and ten passes are quicker than a stable sort.
    """
    left = np.array(scores)
    rows = np.arange(len(left))
    top = np.empty((len(left), min(length, left.shape[1])), np.int64)
    for place in range(top.shape[1]):
        top[:, place] = left.argmax(axis=1)
        left[rows, top[:, place]] = -np.inf
    return top


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
