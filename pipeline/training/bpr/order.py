"""The order of the posts in an epoch: random, and such that features in files are read in long pieces."""

from typing import NamedTuple

import torch
from torch import Tensor

SHUFFLED_WHOLE = 1 << 20
"""The most posts that are shuffled as a whole: read in any order, their features fit memory, or nearly so."""
POSTS_PER_WINDOW = 1 << 17
"""Posts that are shuffled together where there are more."""
POSTS_PER_RUN = 1 << 8
"""Posts, neighbours by their photos' rows, that enter a window together: a long read from a file."""


class EpochOrder(NamedTuple):
    """The order of P posts in one epoch."""

    posts: Tensor
    """The posts as they are learned from, (P,) int64."""
    neighbours: Tensor | None
    """The same, each window in runs of neighbours, as files are read; None for posts shuffled as a whole."""


class PostOrder:
    """The shuffling of posts, given the rows of their photos, (P,) int64.

    Many posts are shuffled within windows, of runs of neighbours from anywhere. That depends on their number alone: the
    results are the same where the features fit memory and where they do not.
    """

    def __init__(self, rows: Tensor):
        self.size = len(rows)
        self.by_row = torch.argsort(rows, stable=True).int() if self.size > SHUFFLED_WHOLE else None

    def shuffle(self, generator: torch.Generator) -> EpochOrder:
        """Draws the order of an epoch."""
        if self.by_row is None:
            return EpochOrder(torch.randperm(self.size, generator=generator), None)
        posts = torch.empty(self.size, dtype=torch.int64)
        neighbours = torch.empty_like(self.by_row)
        runs, first = torch.randperm(-(-self.size // POSTS_PER_RUN), generator=generator), 0
        for some in runs.split(POSTS_PER_WINDOW // POSTS_PER_RUN):
            places = (some[:, None] * POSTS_PER_RUN + torch.arange(POSTS_PER_RUN)).flatten()
            window = self.by_row[places[places < self.size]]
            last = first + len(window)
            neighbours[first:last] = window
            posts[first:last] = window[torch.randperm(len(window), generator=generator)]
            first = last
        return EpochOrder(posts, neighbours)
