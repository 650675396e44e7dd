"""The hits among a model's suggestions: all that metrics need to know of them."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.data.schema import POST, SCORES, TAGS
from pipeline.errors import ArtifactError, InputError
from pipeline.evaluation.metrics.measure import DEPTH
from pipeline.features.store import Features
from pipeline.models.model import Model
from pipeline.models.ranking import suggest


@dataclass(frozen=True)
class Ranking:
    """The hits among one model's suggestions for test posts, row by row in the posts' order."""

    hits: np.ndarray
    """True where the suggestion at a rank is one of the post's tags, bool (posts, 10)."""

    sizes: np.ndarray
    """|T_ui|: the number of each post's tags, with those that the model cannot know, int64 (posts,), at least 1."""


def rank(model: Model, posts: pl.DataFrame, features: Features) -> Ranking:
    """Finds the hits of a model's suggestions for test posts (columns user, photo, tags).

    Raises InputError when there are no posts.
    """
    return find_hits(posts, recommend(model, posts, features))


def recommend(model: Model, posts: pl.DataFrame, features: Features) -> pl.DataFrame:
    """Suggests the 10 best tags of a model for each test post (columns user, photo), fewer where it has fewer.

    Returns user, photo, tags (best first) and scores (float32), in the posts' order. Raises InputError when there are
    no posts.
    """
    if posts.is_empty():
        raise InputError("There is no test post to evaluate: let the split leave some out.")
    suggestions = suggest(model, posts, features, DEPTH)
    names = pl.Series(model.tags, dtype=pl.String).gather(suggestions.top.ravel())
    columns = {TAGS: names, SCORES: pl.Series(suggestions.scores.ravel(), dtype=pl.Float32)}
    lists = {name: column.reshape(suggestions.top.shape).arr.to_list() for name, column in columns.items()}
    return posts.select(POST).with_columns(**lists)


def find_hits(posts: pl.DataFrame, suggestions: pl.DataFrame) -> Ranking:
    """Compares suggestions (columns user, photo, tags, best first) with the tags of test posts (the same columns).

    Raises ArtifactError when a post has no suggestions, or has them twice.
    """
    suggested = f"{TAGS}_suggested"
    joined = posts.join(suggestions, on=POST, how="left", maintain_order="left", suffix="_suggested")
    if joined.height != posts.height or joined[suggested].null_count():
        raise ArtifactError("The suggestions do not hold each test post exactly once.")
    hits = np.zeros((posts.height, DEPTH), dtype=bool)
    for row, (true, tags) in enumerate(joined.select(TAGS, suggested).iter_rows()):
        wanted = set(true)
        hits[row, : len(tags)] = [tag in wanted for tag in tags[:DEPTH]]
    return Ranking(hits, joined[TAGS].list.len().cast(pl.Int64).to_numpy())
