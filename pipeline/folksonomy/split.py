"""The split: posts that are left out of the training, for the test and for validation."""

import numpy as np
import polars as pl

from pipeline.data.schema import DATED_POST, FOLD, POST, TAG, TAGS, TIME, USER
from pipeline.errors import InputError, SettingError
from pipeline.folksonomy.split_rules import SplitRule, share_of
from pipeline.words import counted


def split(
    assignments: pl.DataFrame, source: pl.DataFrame, rule: SplitRule, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Splits posts into training and test posts: user, photo, tags (sorted) and time, sorted by user and photo.

    assignments: user, photo, tag, in any order; each of its posts is in exactly one half. source: the source's posts:
    user, photo, time where it knows any (among equal times, the first by photo counts as the newest; a missing time
    counts as the oldest) and, where the rule asks for it, split ("train" or "test"). Of a user's n posts,
    min(rule, n - 1) or floor(share · n) are left out, so that one is left to learn from; a given split is taken as it
    is. Raises InputError when `source` lacks what the rule asks for, and when a half is empty.
    """
    times = source.select(*POST, TIME if TIME in source.columns else pl.lit(None, pl.Int64).alias(TIME))
    posts = assignments.group_by(POST).agg(pl.col(TAG).sort().alias(TAGS)).join(times, on=POST, how="left")
    posts = posts.select(DATED_POST).sort(POST)
    (left_out,) = rule.leave_out(posts, source, rng, folds=1)
    train, test = posts.filter(~left_out), posts.filter(left_out)
    for half, name in ((train, "training"), (test, "test")):
        if half.is_empty():
            raise InputError(
                f"The split {rule} of {counted(len(posts), 'posts')} leaves no {name} post: {rule.remedy}."
            )
    return train, test


def leave_out_users(
    train: pl.DataFrame, test: pl.DataFrame, rule: SplitRule, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Splits training posts into those to learn from and those of new users, who are drawn at random.

    train, test: as `split` gives them, and so are both results. Where the rule has no new users, the second is empty,
    and nothing is drawn. Raises SettingError when the share rounds down to no user, or leaves none to learn from.
    """
    if not rule.new_users:
        return train, train.clear()
    users = test.join(train, on=USER, how="semi")[USER].unique().sort()
    count = int(share_of(rule.new_users, len(users)))
    if count == 0:
        # Every share is below 1, and so rounds down to nobody of a single user.
        remedy = "choose a larger share" if len(users) > 1 else "leave new_users out"
        raise SettingError(
            "new_users",
            f"is {rule.new_users}, which rounds down to none of the {counted(len(users), 'users')} with posts in both "
            f"halves: {remedy}, or keep more such users.",
        )
    is_new = pl.col(USER).is_in(users.gather(rng.permutation(len(users))[:count]).implode())
    if (learnt := train.filter(~is_new)).is_empty():
        raise SettingError(
            "new_users", f"is {rule.new_users}, which leaves no user to learn from: choose a smaller share."
        )
    return learnt, train.filter(is_new)


def count_ties(train: pl.DataFrame, test: pl.DataFrame) -> int:
    """Counts the test posts whose user has a training post of the same time: only their order told them apart."""
    moments = train.filter(pl.col(TIME).is_not_null()).select(USER, TIME).unique()
    return len(test.join(moments, on=[USER, TIME], how="semi"))


def count_future(posts: pl.DataFrame, now: int) -> int:
    """Counts posts whose time is after `now`, in milliseconds: a clock was wrong, or a unit."""
    return int((posts[TIME] > now).sum())


def validation_posts(
    train: pl.DataFrame, test: pl.DataFrame, source: pl.DataFrame, rule: SplitRule, folds: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Chooses the training posts for validation, by the rule that left out the test posts (Section 5.2).

    train, test: user, photo, tags, time, sorted by user and photo, as `split` gives them; source: as for `split`.
    Returns those columns and fold (int32, from 0), sorted by fold, user and photo: each fold is left out by itself, and
    no post is in two; after a fold of the newest posts comes one of the next newest. A given split names no validation
    posts: there, a fold has as many posts of each user as the test, but at most half of the user's training posts, the
    newest where its test posts are the newest, otherwise drawn at random. If that is none, it is one post of each user.
    The result is empty when there is no post to spare. Raises SettingError when there is one for the first fold, but
    none for a later one.
    """
    parts = [train.filter(left_out) for left_out in rule.leave_out_for_validation(train, test, source, rng, folds)]
    for fold, part in enumerate(parts[1:], start=1):
        if part.is_empty():
            raise SettingError(
                "folds",
                f"is {folds}, but the split {rule} leaves no post for more than {fold}: choose {fold} at most.",
            )
    return pl.concat([part.with_columns(pl.lit(fold, pl.Int32).alias(FOLD)) for fold, part in enumerate(parts)])
