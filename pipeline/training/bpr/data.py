"""The training posts as arrays, and the quadruples (user, photo, positive tag, negative tag) drawn from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from pipeline.data.schema import TAG
from pipeline.data.vocabulary import codes
from pipeline.features.store import Features
from pipeline.models.factorisation import Contexts
from pipeline.training.bpr import loops as ways

BLOCK = 8192
"""Posts, or more where a batch is larger, that are read at a time.

Handing them to another thread costs as much as some thousand quadruples, so the more the better, but features are read
from memory again once a block outgrows the cache.
"""


@dataclass(frozen=True)
class Batch:
    """Some posts with all their quadruples.

    posts: (B,) int64, their places among the training posts; entities: a context's row for each post, (B,) int64;
    features: a context's input for each post, (B, m); sizes: how many quadruples each post has, (B,) int64. For each of
    Q quadruples: `post`, its post in the batch (ascending), `positive` and `negative`, its tags; all (Q,) int64.
    """

    posts: Tensor
    sizes: Tensor
    entities: Mapping[str, Tensor]
    features: Mapping[str, Tensor]
    post: Tensor
    positive: Tensor
    negative: Tensor


@dataclass(frozen=True)
class TrainingPosts:
    """P posts with S positive tags: post p has `tags[starts[p] : starts[p] + counts[p]]`, ascending.

    `gaps` holds, for each positive, how many tags below it are not positives of its post. `entities` and `rows` give
    each post's rows in the factors and in the feature matrices. `host_counts` are the counts on the CPU.
    """

    entities: Mapping[str, Tensor]
    features: Mapping[str, Tensor]
    rows: Tensor
    starts: Tensor
    counts: Tensor
    host_counts: Tensor
    tags: Tensor
    gaps: Tensor
    vocabulary: int

    @classmethod
    def encode(
        cls,
        posts: pl.DataFrame,
        contexts: Contexts,
        names: Mapping[str, list[str]],
        features: Features,
        device: torch.device,
    ) -> Self:
        """Puts posts (columns user, photo, tags) on the device, all of whose names are in `names`."""

        def tensor(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.array(array)).to(device)

        known = {name: codes(posts[name], names[name]) for name in contexts.names if name in names}
        seen = {name: features.matrices[name] for name in contexts.names if name not in known}
        pairs = posts.select("tags").with_row_index("post").explode("tags")
        pairs = pairs.with_columns(tag=codes(pairs["tags"], names[TAG])).sort("post", "tag")
        counts = np.bincount(pairs["post"].to_numpy(), minlength=len(posts))
        starts = np.cumsum(counts) - counts
        tags = pairs["tag"].to_numpy()
        return cls(
            entities={name: tensor(rows) for name, rows in known.items()},
            features={name: tensor(matrix) for name, matrix in seen.items()},
            rows=tensor(features.rows(posts["photo"]) if seen else np.zeros(len(posts), np.int64)),
            starts=tensor(starts),
            counts=tensor(counts),
            host_counts=torch.from_numpy(counts),
            tags=tensor(tags),
            gaps=tensor(tags - (np.arange(len(tags)) - np.repeat(starts, counts))),
            vocabulary=len(names[TAG]),
        )

    def keys(self) -> Tensor:
        """Each positive as one number, post · T + tag, ascending, (S,) int64."""
        posts = torch.arange(len(self.counts), device=self.counts.device)
        return torch.repeat_interleave(posts, self.counts, output_size=len(self.tags)) * self.vocabulary + self.tags

    def epoch(self, batch: int, generator: torch.Generator, draws: torch.Generator) -> Iterator[list[Batch]]:
        """Every positive once, with a negative drawn for it, in batches of posts in random order.

        They come in blocks, so that memory does not grow with the posts, and what is done once a block costs little.
        The order comes from `generator`, on the CPU, so that a GPU is never waited for; the negatives from `draws`, on
        the device.
        """
        shuffled = torch.randperm(len(self.counts), generator=generator)
        block = batch * max(1, BLOCK // batch)
        for first in range(0, len(shuffled), block):
            chosen = shuffled[first : first + block]
            ends = self.host_counts[chosen].cumsum(0)
            cuts = [*range(batch, len(chosen), batch), len(chosen)]
            bounds = [0, *ends[[cut - 1 for cut in cuts]].tolist()]
            order = chosen.to(self.counts.device, non_blocking=True)
            positives, negatives, posts = self.draw(order, bounds[-1], draws)
            yield [
                self.read(order[low : low + batch], posts[start:end] - low, positives[start:end], negatives[start:end])
                for low, (start, end) in zip([0, *cuts], pairwise(bounds), strict=False)
            ]

    def read(self, posts: Tensor, post: Tensor, positive: Tensor, negative: Tensor) -> Batch:
        """What a batch has beside its posts and quadruples."""
        rows = self.rows.index_select(0, posts)
        return Batch(
            posts=posts,
            sizes=self.counts.index_select(0, posts),
            entities={name: known.index_select(0, posts) for name, known in self.entities.items()},
            features={name: matrix.index_select(0, rows) for name, matrix in self.features.items()},
            post=post,
            positive=positive,
            negative=negative,
        )

    def draw(self, posts: Tensor, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """All positives of posts, a negative for each, and the position in `posts` that they belong to: three (Q,).

        size: Q. A negative is uniform over the tags that are no positives of the post (Algorithm 1, line 7): the r-th
        of them, with r uniform. That draws what drawing again until it fits would draw, in a fixed number of steps.
        """
        uniform = torch.rand(size, generator=generator, dtype=torch.float64, device=posts.device)
        drawn = tuple(torch.empty(size, dtype=torch.int64, device=posts.device) for _ in range(3))
        ways.of(posts).draw(posts, self.starts, self.counts, self.tags, self.gaps, self.vocabulary, uniform, *drawn)
        return drawn
