"""The core that suits a folksonomy's size, for data that nobody has a recipe for."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from pipeline.errors import InputError
from pipeline.folksonomy.folksonomy import Folksonomy
from pipeline.folksonomy.steps.core import Core

LEVELS = ((20, 20), (10, 10), (8, 5), (5, 5), (5, 3), (3, 2), (2, 2))
"""Posts of each user and with each tag, the strictest core first."""
KEPT = 0.6
"""The share of tag assignments that a suitable core leaves: a stricter core would be other data."""
FEWEST = 20
"""Posts that a core must leave: with fewer, nothing can be learned and measured."""


def suitable_core(posts: pl.DataFrame) -> tuple[Core, Mapping[str, int]]:
    """Chooses the strictest of `LEVELS` that leaves most of the posts' tag assignments, and counts what it leaves.

    posts: user, photo, tags (list). The counts are users, photos, tags, posts and assignments. Where no core leaves
    enough, the one that leaves most is chosen. Raises InputError when that has fewer than `FEWEST` posts.
    """
    folksonomy, best = Folksonomy.from_posts(posts), None
    for user, tag in LEVELS:
        core = Core(keep="core", user=user, tag=tag)
        counts = core.apply(folksonomy, np.random.default_rng(0)).counts()
        if best is None or counts["assignments"] > best[1]["assignments"]:
            best = core, counts
        if counts["assignments"] >= KEPT * len(folksonomy.tag) and counts["posts"] >= FEWEST:
            break
    core, counts = best
    if counts["posts"] < FEWEST:
        raise InputError(
            f"Of {len(posts):,} posts only {counts['posts']:,} share their users and tags with others: at least "
            f"{FEWEST} are needed to learn from."
        )
    return core, counts
