"""Counts of training posts, which the baselines go by."""

from typing import Literal

import numpy as np
import polars as pl

from pipeline.data.vocabulary import codes
from pipeline.models.model import Model


def tag_counts(posts: pl.DataFrame, tags: list[str]) -> np.ndarray:
    """The number of posts of each tag, int64."""
    return np.bincount(codes(posts["tags"].explode(), tags), minlength=len(tags))


def usage(
    posts: pl.DataFrame, by: Literal["user", "photo"], names: list[str], tags: list[str]
) -> dict[str, np.ndarray]:
    """How many posts of each user (or photo) have each tag, in three tensors of equal length; only counts above 0.

    "user" (or "photo") and "user_tag", int64: positions in `names` and `tags`; "user_posts", uint32: the counts.
    """
    pairs = posts.explode("tags").group_by(by, "tags").len().sort(by, "tags")
    found = {by: codes(pairs[by], names), f"{by}_tag": codes(pairs["tags"], tags)}
    return found | {f"{by}_posts": pairs["len"].to_numpy()}


def used(model: Model, by: Literal["user", "photo"], posts: pl.DataFrame) -> np.ndarray:
    """What `usage` counted for the user (or photo) of each post, (posts, tags) float64; zero for one not known."""
    usages = pl.DataFrame({name: model.tensors[name] for name in (by, f"{by}_tag", f"{by}_posts")})
    asked = pl.DataFrame({by: codes(posts[by], model.names[f"{by}s"])}).with_row_index("row")
    found = asked.join(usages, on=by)
    counts = np.zeros((len(posts), len(model.tags)))
    counts[found["row"].to_numpy(), found[f"{by}_tag"].to_numpy()] = found[f"{by}_posts"].to_numpy()
    return counts
