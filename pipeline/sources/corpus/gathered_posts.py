"""Posts, gathered from batches of rows: what is kept of a row is what the posts' table has of it."""

from collections.abc import Callable

import numpy as np
import polars as pl

from pipeline.data.names import normalised
from pipeline.data.schema import (
    DATED_POST,
    LATITUDE,
    LONGITUDE,
    PHOTO,
    POST,
    POST_TYPES,
    REASON,
    TAGS,
    TIME,
    USER,
)
from pipeline.sources.corpus.form import Batch
from pipeline.sources.corpus.left_out import LeftOut

POSITION = (LATITUDE, LONGITUDE)
"""The columns of a batch that not every form has."""
ODD = "[^!-~]"
"""A character that normalisation may change: all but printable ASCII without the blank."""
ROW = "row"
"""The column of a row's number in its batch."""


class GatheredPosts:
    """Rows of a corpus, gathered batch by batch, which become posts at the end."""

    def __init__(self, decode: Callable[[pl.Series], pl.Series], encoded: str):
        """Begins without rows; `decode` changes those distinct tags in which the expression `encoded` is found."""
        self.rows = 0
        """Rows added, with those that were left out."""
        self.left_out = LeftOut()
        """The rows that are not part of a post."""
        self._decode, self._odd_tag = decode, f"{ODD}|{encoded}"
        self._batches: list[pl.DataFrame] = []

    def add(self, batch: Batch) -> None:
        """Adds a batch; rows with a reason, or without a user, a photo or tags, are counted and left out."""
        self.rows += len(batch.rows)
        users = _changed(batch.rows[USER], ODD, lambda names: names)
        tags = self._names(batch.rows[TAGS])
        rows = batch.rows.with_columns(users.alias(USER), tags.alias(TAGS))
        empty = (
            pl.when(pl.col(USER).fill_null("") == "").then(pl.lit("no user"))
            .when(pl.col(PHOTO).fill_null("") == "").then(pl.lit("no photo"))
            .when(pl.col(TAGS).list.len() == 0).then(pl.lit("no tags"))
        )  # fmt: skip
        rows = rows.with_columns(pl.coalesce(REASON, empty))
        self.left_out.count(rows[REASON], batch.place)
        columns = [*DATED_POST, *(name for name in POSITION if name in rows.columns)]
        self._batches.append(rows.filter(pl.col(REASON).is_null()).select(columns))

    def finish(self) -> pl.DataFrame:
        """Puts the rows together to posts: user, photo, tags, and time and position where any row has one; sorted.

        Rows of one user and photo are one post, with the tags of all, the earliest time and the southernmost position.
        The rows gathered so far are gone then.
        """
        nothing = pl.DataFrame(schema={**POST_TYPES, TIME: pl.Int64})
        # In one piece before they are sorted: sorting would put them together by itself, and hold them three times.
        posts = pl.concat(self._batches or [nothing], rechunk=True)
        self._batches.clear()
        posts = posts.sort(POST)
        user, photo = pl.col(USER), pl.col(PHOTO)
        if posts.select(((user == user.shift()) & (photo == photo.shift())).any()).item():
            tags = pl.col(TAGS).explode().unique().sort()
            position = [name for name in POSITION if name in posts.columns]
            southernmost = [pl.col(name).sort_by(position, nulls_last=True).first() for name in position]
            posts = posts.group_by(POST).agg(tags, pl.col(TIME).min(), *southernmost).sort(POST)
        optional = [name for name in (TIME, *POSITION) if name in posts.columns]
        return posts.drop(name for name in optional if posts[name].null_count() == len(posts))

    def _names(self, tags: pl.Series) -> pl.Series:
        """Decodes and normalises the tags of rows; those without a name are dropped, and those that are there twice."""
        lengths = tags.list.len().fill_null(0).to_numpy()
        row = np.repeat(np.arange(len(tags), dtype=np.uint64), lengths)
        names = _changed(tags.drop_nulls().explode(), self._odd_tag, self._decode)
        named = (names.fill_null("") != "").to_numpy()
        row, names = row[named], names.filter(named)
        lists = _lists(names, np.bincount(row.astype(np.int64), minlength=len(tags)))
        # A tag that is there twice shows in two equal numbers: of the row, and half of a hash.
        pairs = np.sort(row << 32 | names.hash().to_numpy() & 0xFFFFFFFF)
        suspects = np.unique(pairs[1:][pairs[1:] == pairs[:-1]] >> 32)
        return _distinct(lists, suspects) if len(suspects) else lists


def _changed(names: pl.Series, odd: str, decode: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Decodes and normalises the names in which the expression `odd` is found, each distinct one once."""
    places = names.str.contains(odd).fill_null(False).arg_true()
    if places.is_empty():
        return names
    found = names.gather(places)
    distinct = found.unique()
    clean = pl.select(normalised(pl.lit(decode(distinct)))).to_series()
    return names.clone().scatter(places, found.replace_strict(distinct, clean, return_dtype=pl.String))


def _lists(values: pl.Series, lengths: np.ndarray) -> pl.Series:
    """Cuts values into lists of these lengths, without copying them."""
    import pyarrow as pa

    offsets = np.concatenate([[0], np.cumsum(lengths)])
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), values.to_arrow(compat_level=pl.CompatLevel.newest()))
    return pl.Series(pl.from_arrow(lists), dtype=pl.List(pl.String))


def _distinct(lists: pl.Series, rows: np.ndarray) -> pl.Series:
    """Drops what is twice in the lists of some rows; all others stay as they are."""
    numbered = pl.DataFrame({TAGS: lists}).with_row_index(ROW)
    is_suspect = pl.col(ROW).is_in(pl.Series(rows, dtype=pl.UInt32).implode())
    single = numbered.filter(is_suspect).with_columns(pl.col(TAGS).list.unique(maintain_order=True))
    return pl.concat([numbered.filter(~is_suspect), single]).sort(ROW)[TAGS]
