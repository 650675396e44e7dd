"""Posts whose names are codes until all are read: some sixty bytes a row."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import polars as pl

from pipeline.data.names import normalised
from pipeline.data.schema import PHOTO, POST, POST_TYPES, REASON, TAGGED_POST, TAGS, TIME, USER
from pipeline.sources.corpus.form import Batch
from pipeline.sources.corpus.left_out import LeftOut

SLICE = 500_000
"""Posts that are put together at once."""
NEVER = np.iinfo(np.int64).max
"""The time of a row without one: after all others."""


class CodedPosts:
    """Rows of a corpus, gathered batch by batch, which become posts at the end."""

    def __init__(self) -> None:
        self.rows = 0
        """Rows added, with those that were left out."""
        self.left_out = LeftOut()
        """The rows that are no part of a post."""
        self._users, self._tags = _Names(), _Names()
        self._batches: list[pl.DataFrame] = []

    def add(self, batch: Batch) -> None:
        """Adds a batch; rows with a reason, or without a user, a photo or tags, are counted and left out."""
        self.rows += len(batch.rows)
        empty = (
            pl.when(pl.col(USER).fill_null("") == "").then(pl.lit("no user"))
            .when(pl.col(PHOTO).fill_null("") == "").then(pl.lit("no photo"))
            .when(pl.col(TAGS).list.len().fill_null(0) == 0).then(pl.lit("no tags"))
        )  # fmt: skip
        rows = batch.rows.with_columns(pl.coalesce(REASON, empty))
        self.left_out.count(rows[REASON], batch.place)
        rows = rows.filter(pl.col(REASON).is_null())
        coded = [self._users.codes(rows[USER]), rows[PHOTO], self._tags.codes(rows[TAGS]), rows[TIME]]
        self._batches.append(pl.DataFrame(coded))

    def finish(self, decode: Callable[[pl.Series], pl.Series]) -> pl.DataFrame:
        """Puts the rows together to posts: user, photo, tags (sorted), and time where any row has one; sorted.

        Rows of one user and photo are one post, with the tags of all and the earliest time. `decode` is applied to
        distinct tags; what it gives is normalised like users' names, and empty names are dropped. The rows gathered so
        far are gone then.
        """
        users, user_codes = self._users.sorted()
        tags, tag_codes = self._tags.sorted(decode)
        rows = pl.concat(self._batches)
        self._batches.clear()
        rows = rows.with_columns(pl.Series(USER, user_codes[rows[USER].to_numpy()]))
        self._leave_out(rows.filter(pl.col(USER) < 0), "no user")
        rows = rows.filter(pl.col(USER) >= 0).sort(USER, PHOTO)
        slices = []
        for part in _whole_posts(rows):
            posts, without = _merge(part, tags, tag_codes)
            self._leave_out(without, "no tags")
            slices.append(posts.with_columns(users.gather(posts[USER]).alias(USER)))
        posts = pl.concat(slices) if slices else pl.DataFrame(schema=POST_TYPES | {TIME: pl.Int64})
        return posts if posts[TIME].is_not_null().any() else posts.drop(TIME)

    def _leave_out(self, rows: pl.DataFrame, reason: str) -> None:
        if len(rows):
            self.left_out.add(reason, len(rows), f"photo {rows[PHOTO][0]}")


class _Names:
    """Distinct names, numbered in the order in which they come."""

    def __init__(self) -> None:
        self._categories = pl.Categories.random()
        self._kind = pl.Categorical(self._categories)
        # polars forgets categories that no series has.
        self._kept = pl.Series([], dtype=self._kind)
        self._number = 0

    def codes(self, names: pl.Series) -> pl.Series:
        """Returns the numbers of names, or of the names in lists: uint32."""
        codes = names.cast(pl.List(self._kind) if names.dtype == pl.List else self._kind).to_physical()
        last = codes.explode().max() if names.dtype == pl.List else codes.max()
        self._number = max(self._number, 0 if last is None else last + 1)
        return codes

    def sorted(self, decode: Callable[[pl.Series], pl.Series] = lambda names: names) -> tuple[pl.Series, np.ndarray]:
        """Decodes and normalises the names, and sorts the distinct ones.

        Returns them and, for the number of each name as it came, its place among them: int32, -1 for an empty name.
        """
        came = pl.int_range(self._number, dtype=pl.UInt32, eager=True).cat.to(self._kind).cast(pl.String)
        clean = pl.select(normalised(pl.lit(decode(came)))).to_series()
        names = clean.unique().sort()
        names = names.filter(names != "")
        places = pl.DataFrame({"name": clean}).join(
            pl.DataFrame({"name": names}).with_row_index("place"), on="name", how="left", maintain_order="left"
        )
        return names, places["place"].cast(pl.Int32).fill_null(-1).to_numpy()


def _begins(rows: pl.DataFrame) -> pl.Series:
    """Marks the first row of each post among sorted rows."""
    user, photo = pl.col(USER), pl.col(PHOTO)
    return rows.select(((user != user.shift()) | (photo != photo.shift())).fill_null(True)).to_series()


def _whole_posts(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Cuts sorted rows into parts of some SLICE rows, between posts."""
    starts = _begins(rows).arg_true().to_numpy()
    wanted = np.arange(0, len(rows), SLICE)
    cuts = np.unique(starts[np.searchsorted(starts, wanted, side="right") - 1]) if len(starts) else []
    for start, end in pairwise([*cuts, len(rows)]):
        yield rows[start:end]


def _merge(rows: pl.DataFrame, names: pl.Series, places: np.ndarray) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Merges sorted rows to posts, whose users are codes; returns the rows without a named tag as well.

    places: the place in `names` of each tag's code, -1 for an empty name.
    """
    begins = _begins(rows)
    post_of_row = begins.cum_sum().to_numpy() - 1
    # A number for each tag of each row: its row, and its place among the names.
    row_of_tag = np.repeat(np.arange(len(rows)), rows[TAGS].list.len().to_numpy())
    tag = places[rows[TAGS].explode().to_numpy()]
    row_of_tag, tag = row_of_tag[tag >= 0], tag[tag >= 0]
    # Posts and tags in one number, sorted: each post's tags follow each other, in the order of the names.
    pairs = post_of_row[row_of_tag].astype(np.uint64) << 32 | tag.astype(np.uint64)
    pairs.sort()  # np.unique hashes, and takes five times as long.
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])] if len(pairs) else pairs
    post, tag = pairs >> 32, pairs & 0xFFFFFFFF
    lengths = np.bincount(post.astype(np.int64), minlength=post_of_row[-1] + 1)
    has_tags = pl.Series(lengths > 0)
    times = np.minimum.reduceat(rows[TIME].fill_null(NEVER).to_numpy(), begins.arg_true().to_numpy())
    posts = rows.filter(begins).select(POST).with_columns(pl.Series(TIME, times).replace(NEVER, None))
    tags = _lists(names.gather(tag), lengths[lengths > 0])
    posts = posts.filter(has_tags).with_columns(tags.alias(TAGS)).select(*TAGGED_POST, TIME)
    return posts, rows.filter(np.bincount(row_of_tag, minlength=len(rows)) == 0)


def _lists(values: pl.Series, lengths: np.ndarray) -> pl.Series:
    """Cuts values into lists of these lengths, without copying them."""
    import pyarrow as pa

    offsets = np.concatenate([[0], np.cumsum(lengths)])
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), values.to_arrow(compat_level=pl.CompatLevel.newest()))
    return pl.Series(pl.from_arrow(lists), dtype=pl.List(values.dtype))
