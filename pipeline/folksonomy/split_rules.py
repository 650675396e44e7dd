"""Split rules: the ways to leave out some of each user's posts."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal, TypeVar

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.config import Config, union_of
from pipeline.data.schema import POST, SPLIT, TEST, TIME, USER
from pipeline.errors import InputError

Number = TypeVar("Number", int, pl.Expr)

DAY = 24 * 60 * 60 * 1000
"""A day in milliseconds."""

BY_TIME_SHARE = 0.9
"""The share of users whose test posts are their newest that makes a given split one by time."""


class SplitRule(Config, ABC):
    """A rule that leaves posts out. The name of its own field is the name of the rule."""

    new_users: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="The share of the users with posts in both halves, rounded down, who are left out of training at "
        "random. Their posts that are not test posts are folded in before the test. By default there are none.",
    )

    by_time: ClassVar[bool] = False
    """True where posts are left out because they are newer than others."""
    remedy: ClassVar[str] = "leave out more of each user's posts, or keep users with more of them"
    """The remedy where one half is empty."""

    def __str__(self) -> str:
        """Returns the rule as YAML, without `new_users`."""
        ((name, value),) = self.model_dump(exclude={*SplitRule.model_fields}).items()
        return f"{name}: {'true' if value is True else value}"

    @abstractmethod
    def leave_out(
        self, posts: pl.DataFrame, source: pl.DataFrame, rng: np.random.Generator, folds: int
    ) -> list[pl.Series]:
        """Decides which posts are left out in each fold (bool); no post is in two folds.

        posts: user, photo, tags. source: the source's posts: user, photo, and time or split where a rule needs it.
        Raises InputError when the source lacks what the rule needs.
        """

    def leave_out_for_validation(
        self, train: pl.DataFrame, test: pl.DataFrame, source: pl.DataFrame, rng: np.random.Generator, folds: int
    ) -> list[pl.Series]:
        """Decides which training posts are left out for validation in each fold (Section 5.2), as `leave_out` does.

        train, test: the halves into which this rule split the posts.
        """
        return self.leave_out(train, source, rng, folds)


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
        return _folds(posts, _shuffled(posts, rng), share_of(self.test_share, pl.len()), folds)


class LeaveNewest(SplitRule):
    """The rule that leaves out a number of each user's newest posts."""

    by_time: ClassVar = True
    newest_posts: int = Field(ge=1, description="Newest posts of each user that are left out.")

    def leave_out(
        self, posts: pl.DataFrame, source: pl.DataFrame, rng: np.random.Generator, folds: int
    ) -> list[pl.Series]:
        return _folds(posts, _newest_first(posts, source), _all_but_one(self.newest_posts), folds)


class LeaveNewestShare(SplitRule):
    """The rule that leaves out the newest share of each user's posts."""

    by_time: ClassVar = True
    newest_share: float = Field(gt=0, lt=1, description="The share of each user's posts left out, rounded down.")

    def leave_out(
        self, posts: pl.DataFrame, source: pl.DataFrame, rng: np.random.Generator, folds: int
    ) -> list[pl.Series]:
        return _folds(posts, _newest_first(posts, source), share_of(self.newest_share, pl.len()), folds)


class LeaveDays(SplitRule):
    """The rule that leaves out whole days of each user, so that no occasion has posts in both halves."""

    days_share: float = Field(
        gt=0,
        lt=1,
        description="The share of each user's posts left out, at most: days (UTC) are drawn at random, and each is "
        "left out with all its posts unless they are too many. A post without a time is a day of its own.",
    )

    def leave_out(
        self, posts: pl.DataFrame, source: pl.DataFrame, rng: np.random.Generator, folds: int
    ) -> list[pl.Series]:
        days = _source_column(posts, source, TIME) // DAY
        alone = pl.Series(range(len(posts))) + (days.max() + 1)
        fold = np.full(len(posts), folds)
        places = posts.select(USER, days.fill_null(alone).alias(TIME)).with_row_index("place")
        for _, own in places.group_by(USER, maintain_order=True):
            limit = int(share_of(self.days_share, len(own)))
            sizes = [0] * folds
            groups = own.partition_by(TIME, maintain_order=True)
            for number in rng.permutation(len(groups)):
                day = groups[number]["place"].to_numpy()
                fitting = [place for place, size in enumerate(sizes) if size + len(day) <= limit]
                if fitting:
                    fold[day] = fitting[0]
                    sizes[fitting[0]] += len(day)
        return [pl.Series(fold == number) for number in range(folds)]


class GivenSplit(SplitRule):
    """The rule that adopts the split that the source gives, as one fold."""

    remedy: ClassVar = "the source must give posts of both halves"
    given: Literal[True] = Field(description="The posts that the source calls `test` are left out.")

    def leave_out(
        self, posts: pl.DataFrame, source: pl.DataFrame, rng: np.random.Generator, folds: int
    ) -> list[pl.Series]:
        return [_source_column(posts, source, SPLIT).eq_missing(TEST)]

    def leave_out_for_validation(
        self, train: pl.DataFrame, test: pl.DataFrame, source: pl.DataFrame, rng: np.random.Generator, folds: int
    ) -> list[pl.Series]:
        """Leaves out as many posts of each user as the test has, at most half of their training posts.

        They are the newest where, of nearly all users who have both, no test post is older than a training post;
        otherwise they are drawn at random. If no user of the test has a post to spare, a fold is one post of each user.
        """
        order = _newest_first(train, source) if _splits_by_time(source) else _shuffled(train, rng)
        users, numbers = test[USER].value_counts()
        tested = pl.col(USER).replace_strict(users, numbers, default=0, return_dtype=numbers.dtype).first()
        # Half stays, so that no user is learned from in fewer posts than measured on.
        found = _folds(train, order, pl.min_horizontal(tested, pl.len() // 2), folds)
        return found if found[0].any() else _folds(train, order, _all_but_one(1), folds)


SPLIT_RULES: Mapping[str, type[SplitRule]] = {
    "test_posts": LeavePosts,
    "test_share": LeaveShare,
    "newest_posts": LeaveNewest,
    "newest_share": LeaveNewestShare,
    "days_share": LeaveDays,
    "given": GivenSplit,
}

AnySplitRule = union_of(
    SPLIT_RULES.values(),
    lambda rule, value: not (rule.model_fields.keys() - SplitRule.model_fields.keys()).isdisjoint(value),
    "A split is {'test_posts': number}, {'test_share': share}, {'newest_posts': number}, {'newest_share': share}, "
    "{'days_share': share} or {'given': true}, and may have 'new_users': share",
)
"""The split rule of a recipe."""


def share_of(share: float, number: Number) -> Number:
    """Takes a share of a number, rounded down."""
    # 0.29 · 100 is a little less than 29 in floating point.
    return (share * number + 1e-9) // 1


def _all_but_one(number: int) -> pl.Expr:
    """Limits a number of posts so that each user keeps one to learn from."""
    return pl.min_horizontal(number, pl.len() - 1)


def _newest_first(posts: pl.DataFrame, source: pl.DataFrame) -> pl.Series:
    """Returns numbers that rise from the newest post to the oldest; a post without a time comes last."""
    times = _source_column(posts, source, TIME)
    return -times.fill_null(times.min() - 1)


def _shuffled(posts: pl.DataFrame, rng: np.random.Generator) -> pl.Series:
    return pl.Series(rng.permutation(len(posts)))


def _folds(posts: pl.DataFrame, order: pl.Series, number: pl.Expr, folds: int) -> list[pl.Series]:
    """Cuts each user's posts, by `order` and then by photo, into folds of `number` posts; returns their masks."""
    rank = pl.col("order").rank("ordinal").over(USER)
    size = number.over(USER)
    ordered = posts.select(USER, order.alias("order"))
    return [ordered.select((rank > fold * size) & (rank <= (fold + 1) * size)).to_series() for fold in range(folds)]


def _splits_by_time(source: pl.DataFrame) -> bool:
    """Recognises a given split by time: of nearly all users of both halves, the test posts are the newest."""
    if not {TIME, SPLIT} <= {*source.columns}:
        return False
    dated = source.filter(pl.col(TIME).is_not_null())
    test = dated.filter(pl.col(SPLIT) == TEST).group_by(USER).agg(pl.col(TIME).min().alias("oldest"))
    train = dated.filter(pl.col(SPLIT) != TEST).group_by(USER).agg(pl.col(TIME).max().alias("newest"))
    follows = train.join(test, on=USER).select((pl.col("oldest") >= pl.col("newest")).mean()).item()
    return follows is not None and follows >= BY_TIME_SHARE


def _source_column(posts: pl.DataFrame, source: pl.DataFrame, column: str) -> pl.Series:
    """Looks up a column of the source, time or split, for each post."""
    if column in source.columns:
        values = posts.select(POST).join(source.select(*POST, column), on=POST, how="left", maintain_order="left")[
            column
        ]
        if not values.is_null().all():
            return values
    raise InputError(
        f"The split needs the {column} of each post, and the source gives none: set {column!r} of the source, or "
        "choose another split."
    )
