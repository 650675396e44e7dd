"""Counts of training posts, which the baselines are based on."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from pipeline.data.schema import TAG, TAGS
from pipeline.data.vocabulary import codes, vocabulary
from pipeline.files.forms import Form, integers
from pipeline.models.model import Model

TIE_BREAK = 1e-9
"""The weight of a tag's popularity, which orders tags whose shares are equal."""


def count_tags(posts: pl.DataFrame, tags: Sequence[str]) -> np.ndarray:
    """Counts the posts of each tag, int64 (T,)."""
    return np.bincount(codes(posts[TAGS].explode(), tags), minlength=len(tags))


def mark_tags(posts: pl.DataFrame, tags: Sequence[str]) -> np.ndarray:
    """Marks the tags of posts, bool (posts, T); tags that are not in the vocabulary are left out."""
    pairs = posts.select(TAGS).with_row_index("post").explode(TAGS)
    positions = codes(pairs[TAGS], tags)
    marked = np.zeros((len(posts), len(tags)), bool)
    marked[pairs["post"].to_numpy()[positions >= 0], positions[positions >= 0]] = True
    return marked


def count_tags_by(column: str, posts: pl.DataFrame, names: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    """Counts the posts of each tag by user (or photo), in three tensors of equal length: only counts above 0.

    For USER they are "user" and "user_tag", int64, positions in `names`, and "user_posts", uint32, the counts.
    """
    pairs = posts.explode(TAGS).group_by(column, TAGS).len("posts").sort(column, TAGS)
    return {
        column: codes(pairs[column], names[column]),
        f"{column}_tag": codes(pairs[TAGS], names[TAG]),
        f"{column}_posts": pairs["posts"].to_numpy(),
    }


def counted_forms(model: Model, column: str) -> dict[str, Form]:
    """Returns the forms of what `count_tags_by` counts."""
    pairs = f"pairs of {column}"
    return {
        column: integers(pairs, below=model.count_of(column)),
        f"{column}_tag": integers(pairs, below=model.count_of(TAG)),
        f"{column}_posts": integers(pairs, least=1),
    }


def count_more(model: Model, column: str, posts: pl.DataFrame) -> tuple[list[str], dict[str, np.ndarray]]:
    """Counts further posts in: returns the names of users (or photos), and what `count_tags_by` would have counted."""
    known, (of, tag, number) = model.names[column], (column, f"{column}_tag", f"{column}_posts")
    names = vocabulary(pl.concat([pl.Series(known, dtype=pl.String), posts[column]]))
    more = count_tags_by(column, posts, {column: names, TAG: model.tags})
    # The counts so far, their rows moved to where the names now are; then both summed.
    moved = codes(pl.Series(known, dtype=pl.String), names)[model.tensors[of]]
    counted = pl.concat(
        [pl.DataFrame({of: moved, tag: model.tensors[tag], number: model.tensors[number]}), pl.DataFrame(more)]
    )
    summed = counted.group_by(of, tag).sum().sort(of, tag)
    return names, {name: summed[name].to_numpy() for name in (of, tag, number)}


def count_only(model: Model, column: str, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns what `count_tags_by` counted for some users (or photos), given by their names, sorted."""
    of, tag, number = column, f"{column}_tag", f"{column}_posts"
    now = codes(pl.Series(model.names[column], dtype=pl.String), names)[model.tensors[of]]
    kept = now >= 0
    return {of: now[kept], tag: model.tensors[tag][kept], number: model.tensors[number][kept]}


def counts_for(model: Model, column: str, posts: pl.DataFrame) -> np.ndarray:
    """Returns what `count_tags_by` counted for the user (or photo) of each post, float64 (posts, T); 0 if not known."""
    counted = pl.DataFrame({name: model.tensors[name] for name in (column, f"{column}_tag", f"{column}_posts")})
    wanted = pl.DataFrame({column: codes(posts[column], model.names[column])}).with_row_index("row")
    found = wanted.join(counted, on=column)
    counts = np.zeros((len(posts), len(model.tags)))
    counts[found["row"].to_numpy(), found[f"{column}_tag"].to_numpy()] = found[f"{column}_posts"].to_numpy()
    return counts


def shares(counts: np.ndarray) -> np.ndarray:
    """Divides each row by its sum; a row of zeros stays so."""
    sums = counts.sum(axis=1, keepdims=True)
    return counts / np.where(sums > 0, sums, 1)
