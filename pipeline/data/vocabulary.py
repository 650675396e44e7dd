"""Vocabularies: the sorted names behind integer codes."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipeline.data.schema import TAG, TAGS

POSTS_PER_CHUNK = 1 << 17
"""Posts whose tags are listed at a time."""


def vocabulary(values: pl.Series) -> list[str]:
    """Lists the distinct values, sorted."""
    return values.unique().sort().to_list()


def tag_vocabulary(posts: pl.DataFrame) -> list[str]:
    """Lists the distinct tags of posts, sorted; some posts at a time, since all their tags take much memory."""
    starts = range(0, max(1, len(posts)), POSTS_PER_CHUNK)
    chunks = (posts[TAGS].slice(start, POSTS_PER_CHUNK) for start in starts)
    return vocabulary(pl.concat(chunk.explode().unique() for chunk in chunks))


def vocabularies(posts: pl.DataFrame, *columns: str) -> dict[str, list[str]]:
    """Lists the distinct values of some columns of posts, and the tags (TAG), sorted."""
    return {column: vocabulary(posts[column]) for column in columns} | {TAG: tag_vocabulary(posts)}


def codes(values: pl.Series, names: Sequence[str]) -> np.ndarray:
    """Looks up the position of each value in the sorted `names`: (values,) int64, -1 where it has none."""
    if len(values) < len(names):
        # Bisection: for few values, building a hash table of all names would take ten times as long.
        known = pl.Series(names, dtype=pl.String)
        places = known.search_sorted(values)
        found = known.gather(places.set(places == len(known), None)).eq_missing(values)
        return places.cast(pl.Int64).set(~found, -1).to_numpy()
    return values.replace_strict(names, range(len(names)), default=-1, return_dtype=pl.Int64).to_numpy()
