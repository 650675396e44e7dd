"""Split rules: the ways to leave out some of each user's posts."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.config import Config, union_of
from pipeline.data.schema import POST, SPLIT, TEST, TIME, USER
from pipeline.errors import InputError


class SplitRule(Config, ABC):
    """A rule that leaves posts out. The name of its one field is the name of the rule."""

    @abstractmethod
    def leave_out(
        self, posts: pl.DataFrame, source: pl.DataFrame, rng: np.random.Generator, folds: int
    ) -> list[pl.Series]:
        """Decides which posts are left out in each fold (bool); no post is in two folds.

        posts: user, photo, tags. source: the source's posts: user, photo, and time or split where a rule needs it.
        Raises InputError when the source lacks what the rule needs.
        """

    def for_validation(self) -> "SplitRule":
        """Returns the rule by which validation posts are left out of the training posts (Section 5.2)."""
        return self


class LeavePosts(SplitRule):
    """The rule that leaves out a number of each user's posts, drawn at random."""

    test_posts: int = Field(ge=1, description="Posts of each user that are left out, drawn at random.")

    def leave_out(
        self, posts: pl.DataFrame, source: pl.DataFrame, rng: np.random.Generator, folds: int
    ) -> list[pl.Series]:
        return _folds(posts, _shuffled(posts, rng), _all_but_one(self.test_posts), folds)


class LeaveShare(SplitRule):
    """The rule that leaves out a share of each user's posts, drawn at random."""

    test_share: float = Field(gt=0, lt=1, description="The share of each user's posts left out, rounded down.")

    def leave_out(
        self, posts: pl.DataFrame, source: pl.DataFrame, rng: np.random.Generator, folds: int
    ) -> list[pl.Series]:
        # 0.29 · 100 is a little less than 29 in floating point.
        return _folds(posts, _shuffled(posts, rng), (self.test_share * pl.len() + 1e-9).floor(), folds)


class LeaveNewest(SplitRule):
    """The rule that leaves out a number of each user's newest posts."""

    newest_posts: int = Field(ge=1, description="Newest posts of each user that are left out.")

    def leave_out(
        self, posts: pl.DataFrame, source: pl.DataFrame, rng: np.random.Generator, folds: int
    ) -> list[pl.Series]:
        times = _source_column(posts, source, TIME)
        return _folds(posts, -times.fill_null(times.min() - 1), _all_but_one(self.newest_posts), folds)


class GivenSplit(SplitRule):
    """The rule that adopts the split that the source gives, as one fold."""

    given: Literal[True] = Field(description="The posts that the source calls `test` are left out.")

    def leave_out(
        self, posts: pl.DataFrame, source: pl.DataFrame, rng: np.random.Generator, folds: int
    ) -> list[pl.Series]:
        return [_source_column(posts, source, SPLIT).eq_missing(TEST)]

    def for_validation(self) -> SplitRule:
        """Returns a rule that draws one post of each user: the source gives no validation posts."""
        return LeavePosts(test_posts=1)


SPLIT_RULES: Mapping[str, type[SplitRule]] = {
    "test_posts": LeavePosts,
    "test_share": LeaveShare,
    "newest_posts": LeaveNewest,
    "given": GivenSplit,
}

AnySplitRule = union_of(
    SPLIT_RULES.values(),
    lambda rule, value: not rule.model_fields.keys().isdisjoint(value),
    "A split is {'test_posts': number}, {'test_share': share}, {'newest_posts': number} or {'given': true}",
)
"""The split rule of a recipe."""


def _all_but_one(number: int) -> pl.Expr:
    """Limits a number of posts so that each user keeps one to learn from."""
    return pl.min_horizontal(number, pl.len() - 1)


def _shuffled(posts: pl.DataFrame, rng: np.random.Generator) -> pl.Series:
    return pl.Series(rng.permutation(len(posts)))


def _folds(posts: pl.DataFrame, order: pl.Series, number: pl.Expr, folds: int) -> list[pl.Series]:
    """Cuts each user's posts, by `order` and then by photo, into folds of `number` posts; returns their masks."""
    rank = pl.col("order").rank("ordinal").over(USER)
    size = number.over(USER)
    ordered = posts.select(USER, order.alias("order"))
    return [ordered.select((rank > fold * size) & (rank <= (fold + 1) * size)).to_series() for fold in range(folds)]


def _source_column(posts: pl.DataFrame, source: pl.DataFrame, column: str) -> pl.Series:
    """Looks up a column of the source, time or split, for each post."""
    if column in source.columns:
        values = posts.join(source.select(*POST, column), on=POST, how="left", maintain_order="left")[column]
        if not values.is_null().all():
            return values
    raise InputError(
        f"This split needs the {column} of the posts, and the source gives none: name its column in the source's "
        "configuration, or choose another split."
    )
