"""The posts of an epoch, and their order: random, and such that features in files are read in long pieces."""

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
    """The order of the posts in one epoch: P of them, or about as many where they have weights."""

    posts: Tensor
    """The posts as they are learned from, int64."""
    neighbours: Tensor | None
    """The same, each window in runs of neighbours, as files are read; None for posts shuffled as a whole."""


class PostOrder:
    """The shuffling of posts, given the rows of their photos, (P,) int64.

    Many posts are shuffled within windows, of runs of neighbours from anywhere. That depends on their number alone: the
    results are the same where the features fit memory and where they do not.

    weights: how often each post comes in an epoch, on average, (P,) float32; None where each comes once.
    """

    def __init__(self, rows: Tensor, weights: Tensor | None = None):
        self.size, self.weights = len(rows), weights
        self.by_row = torch.argsort(rows, stable=True).int() if self.size > SHUFFLED_WHOLE else None

    def shuffle(self, generator: torch.Generator) -> EpochOrder:
        """Draws the order of an epoch."""
        if self.by_row is None:
            if self.weights is None:
                return EpochOrder(torch.randperm(self.size, generator=generator), None)
            drawn = self.draw(torch.arange(self.size), generator)
            return EpochOrder(drawn[torch.randperm(len(drawn), generator=generator)], None)
        drawn = self.by_row if self.weights is None else self.draw(self.by_row, generator)
        posts = torch.empty(len(drawn), dtype=torch.int64)
        neighbours = torch.empty_like(drawn)
        runs, first = torch.randperm(-(-len(drawn) // POSTS_PER_RUN), generator=generator), 0
        for some in runs.split(POSTS_PER_WINDOW // POSTS_PER_RUN):
            places = (some[:, None] * POSTS_PER_RUN + torch.arange(POSTS_PER_RUN)).flatten()
            window = drawn[places[places < len(drawn)]]
            last = first + len(window)
            neighbours[first:last] = window
            posts[first:last] = window[torch.randperm(len(window), generator=generator)]
            first = last
        return EpochOrder(posts, neighbours)

    def draw(self, posts: Tensor, generator: torch.Generator) -> Tensor:
        """Repeats all posts, in some order, as often as their weights say, rounded up or down at random."""
        chance = torch.rand(self.size, generator=generator)
        return posts.repeat_interleave((self.weights + chance).long()[posts])


def user_weights(users: Tensor, balance: float) -> Tensor:
    """Returns weights n^(−balance) of posts whose user has n of them, (P,) float32 of mean 1.

    users: the code of each post's user, (P,) int64. So users are drawn in proportion to n^(1 − balance), as languages
    are in multilingual training (Conneau and Lample, NeurIPS 2019, Section 3.1): those with few posts count more.
    """
    weights = torch.bincount(users).double().pow_(-balance)[users]
    return (weights / weights.mean()).float()
