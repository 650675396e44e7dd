"""The split: which posts are left out of the training, to test on them."""

from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Discriminator, Field, Tag

from pipeline.config import Config
from pipeline.errors import InputError


class LeavePosts(Config):
    """A number of each user's posts, drawn at random."""

    test_posts: int = Field(ge=1, description="How many posts of each user are left out, drawn at random.")


class LeaveShare(Config):
    """A share of each user's posts, drawn at random."""

    test_share: float = Field(gt=0, lt=1, description="The share of each user's posts left out, rounded down.")


class LeaveNewest(Config):
    """A number of each user's newest posts."""

    newest_posts: int = Field(ge=1, description="How many of the newest posts of each user are left out.")


class GivenSplit(Config):
    """The split that the source gives."""

    given: Literal[True] = Field(description="The posts that the source calls `test` are left out.")


KINDS = {
    "test_posts": "LeavePosts",
    "test_share": "LeaveShare",
    "newest_posts": "LeaveNewest",
    "given": "GivenSplit",
}


def _kind(rule: object) -> str | None:
    """The class of a rule, which its key says; None when there is no such key."""
    if isinstance(rule, Config):
        return type(rule).__name__
    said = rule if isinstance(rule, dict) else ()
    return next((kind for key, kind in KINDS.items() if key in said), None)


SplitRule = Annotated[
    Annotated[LeavePosts, Tag("LeavePosts")]
    | Annotated[LeaveShare, Tag("LeaveShare")]
    | Annotated[LeaveNewest, Tag("LeaveNewest")]
    | Annotated[GivenSplit, Tag("GivenSplit")],
    Discriminator(
        _kind,
        custom_error_type="unknown_split",
        custom_error_message="A split is {'test_posts': number}, {'test_share': share}, {'newest_posts': number} "
        "or {'given': true}",
    ),
]
"""How a recipe leaves posts out."""


def split(
    assignments: pl.DataFrame, posts: pl.DataFrame, rule: SplitRule, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The training posts and the test posts: user, photo, tags (sorted), sorted by user and photo.

    assignments: user, photo, tag, in any order; each of its posts is in exactly one half. posts: user, photo and, where
    the rule asks for it, `time` (of equal times the first by photo counts as newest, none as the oldest of all) or
    `split` ("train" or "test"). Of a user's n posts min(rule, n - 1) or floor(share · n) are left out, so that one is
    left to learn from; a given split is taken as it is. Raises InputError when `posts` lacks what the rule asks for,
    and when a half is empty.
    """
    grouped = assignments.group_by("user", "photo").agg(tags=pl.col("tag").sort()).sort("user", "photo")
    (left_out,) = _left_out(grouped, posts, rule, rng)
    train, test = grouped.filter(~left_out), grouped.filter(left_out)
    for half, name in ((train, "training"), (test, "test")):
        if half.is_empty():
            raise InputError(f"The split {rule.model_dump()} of {len(grouped):,} posts leaves no {name} post.")
    return train, test


def validation_posts(
    train: pl.DataFrame, posts: pl.DataFrame, rule: SplitRule, folds: int, rng: np.random.Generator
) -> pl.DataFrame:
    """The training posts that settings are chosen on, left out by the rule that left out the test posts (Section 5.2).

    train: user, photo, tags, sorted by user and photo, as `split` gives them; posts: as for `split`. Returns those
    columns and fold (int32, from 0), sorted by fold, user and photo: each fold is left out by itself, and no post is in
    two; of the newest posts, the second fold are the next newest. A given split says nothing of validation: there a
    fold is one post of each user, drawn at random. No posts where there is none to spare. Raises InputError when that
    is so of a later fold than the first.
    """
    rule = LeavePosts(test_posts=1) if isinstance(rule, GivenSplit) else rule
    parts = [train.filter(left_out) for left_out in _left_out(train, posts, rule, rng, folds)]
    for fold, part in enumerate(parts[1:], start=1):
        if part.is_empty():
            raise InputError(
                f"tuning.folds is {folds}, but the split {rule.model_dump()} leaves no post for more than {fold}: "
                f"choose {fold} at most."
            )
    return pl.concat([part.with_columns(fold=pl.lit(fold, pl.Int32)) for fold, part in enumerate(parts)])


def _left_out(
    grouped: pl.DataFrame, posts: pl.DataFrame, rule: SplitRule, rng: np.random.Generator, folds: int = 1
) -> list[pl.Series]:
    """Which of some posts (user, photo, tags) a rule leaves out (bool), in so many folds that share none."""
    match rule:
        case GivenSplit():
            return [_given(grouped, posts, "split").eq_missing("test")]
        case LeaveNewest():
            times = _given(grouped, posts, "time")
            number = pl.min_horizontal(rule.newest_posts, pl.len() - 1)
            order = -times.fill_null(times.min() - 1)
        case LeavePosts():
            number = pl.min_horizontal(rule.test_posts, pl.len() - 1)
            order = _shuffled(grouped, rng)
        case LeaveShare():
            # 0.29 · 100 is a little less than 29 in floating point.
            number = (rule.test_share * pl.len() + 1e-9).floor()
            order = _shuffled(grouped, rng)
    return [_chunk(grouped, order, number, fold) for fold in range(folds)]


def _shuffled(grouped: pl.DataFrame, rng: np.random.Generator) -> pl.Series:
    return pl.Series(rng.permutation(len(grouped)))


def _chunk(grouped: pl.DataFrame, order: pl.Series, number: pl.Expr, chunk: int) -> pl.Series:
    """Which posts are in the chunk of that place (bool), their user's posts being cut by `number`.

    Each user's posts are ordered by `order`, then by photo.
    """
    rank = pl.col("order").rank("ordinal")
    within = (rank > chunk * number) & (rank <= (chunk + 1) * number)
    return grouped.select("user", order=order).select(within.over("user")).to_series()


def _given(grouped: pl.DataFrame, posts: pl.DataFrame, column: str) -> pl.Series:
    """What the source says of each post in a column, `time` or `split`."""
    on = ["user", "photo"]
    if column in posts.columns:
        values = grouped.join(posts.select(*on, column), on=on, how="left", maintain_order="left")[column]
        if not values.is_null().all():
            return values
    raise InputError(
        f"This split needs the {column} of the posts, and the source gives none: name the column of it in the source's "
        "configuration, or choose another split."
    )
