"""The core and the split that suit a folksonomy, for data that nobody has a recipe for."""

from collections.abc import Mapping
from math import ceil

import numpy as np
import polars as pl

from pipeline.data.schema import SPLIT, TIME
from pipeline.errors import InputError
from pipeline.folksonomy.folksonomy import Folksonomy
from pipeline.folksonomy.split_rules import GivenSplit, LeaveNewestShare, LeaveShare, SplitRule
from pipeline.folksonomy.steps.core import Core

CORES = ((10, 10), (8, 5), (5, 5), (5, 3), (3, 2), (2, 2))
"""Posts of each user and with each tag, the strictest core first."""
KEPT, KEPT_USERS = 0.6, 0.5
"""The shares of tag assignments and of users that a suitable core leaves: a stricter core would be other data."""
TEST_SHARE, DATED_SHARE = 0.2, 0.9
"""The share of posts for the test, and the share with known times that makes them the newest."""
FEWEST = 20
"""Posts that a core must leave: with fewer, nothing can be learned and measured."""


def suitable_core(posts: pl.DataFrame) -> tuple[Core, Mapping[str, int]]:
    """Chooses the strictest of `CORES` that leaves most tag assignments and users, and counts what it leaves.

    posts: user, photo, tags (list). The counts are users, photos, tags, posts and assignments. Where no core leaves
    enough, the one with most assignments is chosen, the strictest in a tie. Raises InputError when that has fewer than
    `FEWEST` posts.
    """
    if len(posts) < FEWEST:
        raise InputError(f"At least {FEWEST} posts are needed to learn from; the data have {len(posts):,}.")
    folksonomy, best = Folksonomy.from_posts(posts), None
    everything = folksonomy.counts()
    for user, tag in CORES:
        core = Core(keep="core", user=user, tag=tag)
        counts = core.apply(folksonomy, np.random.default_rng(0)).counts()
        if best is None or counts["assignments"] > best[1]["assignments"]:
            best = core, counts
        enough = (
            counts["assignments"] >= KEPT * everything["assignments"]
            and counts["users"] >= KEPT_USERS * everything["users"]
            and counts["posts"] >= FEWEST
        )
        if enough:
            return core, counts
    core, counts = best
    if counts["posts"] < FEWEST:
        raise InputError(
            f"Of {len(posts):,} posts only {counts['posts']:,} share their users and tags with others: at least "
            f"{FEWEST} are needed to learn from."
        )
    return core, counts


def suitable_split(posts: pl.DataFrame) -> SplitRule:
    """Chooses the split of posts (perhaps with columns time and split): the given one, or a fifth of each user's.

    It is the newest fifth where times are known: a model in use meets newer photos, and among photos of one occasion, a
    random half gives the other half away.
    """
    if SPLIT in posts.columns:
        return GivenSplit(given=True)
    if _dated(posts) >= _most(posts):
        return LeaveNewestShare(newest_share=TEST_SHARE)
    return LeaveShare(test_share=TEST_SHARE)


def why_random(posts: pl.DataFrame) -> str:
    """Counts, in a sentence, the posts with a time, and those that a split by time needs."""
    return (
        f"The test posts are drawn at random: {_dated(posts):,} of {len(posts):,} posts have a time that is read, "
        f"of {_most(posts):,} that are needed to take the newest."
    )


def _dated(posts: pl.DataFrame) -> int:
    return posts[TIME].count() if TIME in posts.columns else 0


def _most(posts: pl.DataFrame) -> int:
    return ceil(DATED_SHARE * len(posts))
