"""The training posts on the device, and the batches of quadruples that are drawn from them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from pipeline.data.schema import TAG, TAGS, USER
from pipeline.data.vocabulary import codes
from pipeline.training.bpr.encoding import EncodedPosts, Encoder, PostInputs
from pipeline.training.bpr.loops import loops_for
from pipeline.training.bpr.loops.quadruples import PositiveTags, Quadruples
from pipeline.training.bpr.order import POSTS_PER_WINDOW, PostOrder, user_weights

POSTS_PER_CHUNK = 1 << 17
"""Posts whose tags are encoded at a time: as names they take many times the memory."""

POSTS_PER_BLOCK = 8192
"""Posts, or more where a batch is larger, that are read at a time.

Handing them to another thread costs as much as some thousand quadruples, so the more the better, but features are read
from memory again once a block outgrows the cache.
"""


@dataclass(frozen=True)
class Generators:
    """The two sources of all random numbers of training, except the start."""

    order: torch.Generator
    """Orders the posts; on the CPU, so that a GPU is never waited for."""
    draws: torch.Generator
    """Draws negatives, on the device."""

    @classmethod
    def seeded(cls, seed: int, device: torch.device) -> Self:
        """Starts both from a seed."""
        return cls(torch.Generator().manual_seed(seed), torch.Generator(device).manual_seed(seed))


@dataclass(frozen=True)
class Batch:
    """B posts with all their quadruples."""

    posts: Tensor
    """Their places among the training posts, (B,) int64."""
    sizes: Tensor
    """The number of quadruples of each, (B,) int64."""
    inputs: PostInputs
    """Their inputs to the contexts."""
    quadruples: Quadruples
    """One for each tag of each post."""


@dataclass(frozen=True)
class Block:
    """N posts, drawn together, in batches: `len` counts the batches, and iteration yields them."""

    posts: Tensor
    """As in `Batch`, (N,)."""
    sizes: Tensor
    """As in `Batch`, (N,)."""
    inputs: PostInputs
    """As in `Batch`."""
    quadruples: Quadruples
    """As in `Batch`, with posts numbered throughout the block."""
    cuts: Sequence[int]
    """The place of each batch's first post, and N."""
    bounds: Sequence[int]
    """The place of each batch's first quadruple, and the number of quadruples."""

    def __len__(self) -> int:
        return len(self.cuts) - 1

    def __iter__(self) -> Iterator[Batch]:
        post, positive, negative = self.quadruples
        for (low, high), (start, end) in zip(pairwise(self.cuts), pairwise(self.bounds), strict=True):
            yield Batch(
                self.posts[low:high],
                self.sizes[low:high],
                self.inputs.part(low, high),
                Quadruples(post[start:end] - low, positive[start:end], negative[start:end]),
            )


@dataclass(frozen=True)
class TrainingPosts:
    """P posts with S positive tags."""

    inputs: EncodedPosts
    """Their inputs to the contexts."""
    positives: PositiveTags
    """Their tags."""
    host_counts: Tensor
    """The number of tags of each post, on the CPU, (P,) int64."""
    order: PostOrder
    """Their order in epochs."""

    def __len__(self) -> int:
        return len(self.host_counts)

    @classmethod
    def encode(cls, posts: pl.DataFrame, encoder: Encoder, balance: float = 0.0) -> Self:
        """Puts posts (columns user, photo, tags), all of whose names are known, on the device.

        balance: of the users, as in `user_weights`; with 0 an epoch has each post once.
        """
        counts = torch.from_numpy(posts[TAGS].list.len().cast(pl.Int64).to_numpy().copy())
        tags, first = torch.empty(counts.sum(), dtype=torch.int32), 0
        for some in posts.iter_slices(POSTS_PER_CHUNK):
            part = torch.from_numpy(positive_tags(some, encoder))
            tags[first : first + len(part)] = part
            first += len(part)
        lists = (each.to(encoder.device) for each in (counts.cumsum(0) - counts, counts, tags))
        positives = PositiveTags(*lists, vocabulary=len(encoder.layout.names[TAG]))
        inputs = encoder.encode(posts)
        users = encoder.layout.names[USER]
        weights = user_weights(torch.tensor(codes(posts[USER], users)), balance) if balance else None
        return cls(inputs, positives, counts, PostOrder(inputs.rows.cpu(), weights))

    def tensors(self) -> Iterator[Tensor]:
        """Yields all that decides the quadruples, except the features, to be hashed."""
        yield from (*self.inputs.tensors(), self.positives.counts, self.positives.tags)

    def epoch(self, batch: int, generators: Generators) -> Iterator[Block]:
        """Yields the positives of an epoch's posts, with a negative drawn for each, in batches in random order.

        They come in blocks, so that memory does not grow with the posts, and the work done once a block costs little.
        """
        shuffled, neighbours = self.order.shuffle(generators.order)
        size = batch * batches_per_block(batch)
        for first in range(0, len(shuffled), size):
            if neighbours is not None:
                self.inputs.read_along(neighbours, first, size, POSTS_PER_WINDOW)
            # A block's posts, cut into batches, and the bounds of each batch's quadruples.
            chosen = shuffled[first : first + size]
            cuts = [*range(0, len(chosen), batch), len(chosen)]
            ends = self.host_counts.index_select(0, chosen).cumsum(0)
            bounds = [0, *ends.index_select(0, torch.tensor(cuts[1:]) - 1).tolist()]
            order = chosen.to(self.positives.counts.device, non_blocking=True)
            sizes, inputs = self.positives.counts.index_select(0, order), self.inputs.select(order)
            yield Block(order, sizes, inputs, self.draw(order, bounds[-1], generators.draws), cuts, bounds)

    def draw(self, posts: Tensor, size: int, generator: torch.Generator) -> Quadruples:
        """Lists all positives of posts, with a negative for each.

        size: Q. A negative is uniform over the tags that are not positives of the post (Algorithm 1, line 7): the r-th
        of them, with r uniform. That draws what drawing again until it fits would draw, in a fixed number of steps.
        """
        uniform = torch.rand(size, generator=generator, dtype=torch.float64, device=posts.device)
        shapes = Quadruples((size,), (size,), (size, 1))
        drawn = Quadruples(*(torch.empty(shape, dtype=torch.int64, device=posts.device) for shape in shapes))
        loops_for(posts).draw(posts, self.positives, uniform, drawn)
        return drawn


def batches_per_block(batch: int) -> int:
    """Returns the number of batches in a block; batch: the posts of one."""
    return max(1, POSTS_PER_BLOCK // batch)


def positive_tags(posts: pl.DataFrame, encoder: Encoder) -> np.ndarray:
    """Returns the tags of posts, one post after another, ascending in each, (S,) int32."""
    post, tag = encoder.assignments(posts)
    return tag[np.lexsort((tag, post))].astype(np.int32)
