"""The training posts as arrays, and the quadruples (user, photo, positive tag, negative tag) drawn from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from pipeline.models.factorisation import Contexts
from pipeline.models.model import codes
from pipeline.store import Features


@dataclass(frozen=True)
class Batch:
    """Some posts with all their quadruples.

    entities: a context's row for each post, (B,) int64; features: a context's input for each post, (B, m). For each of
    Q quadruples: `post`, its post in the batch (ascending), `positive` and `negative`, its tags; all (Q,) int64.
    """

    entities: Mapping[str, Tensor]
    features: Mapping[str, Tensor]
    post: Tensor
    positive: Tensor
    negative: Tensor


@dataclass(frozen=True)
class TrainingPosts:
    """P posts with S positive tags: post p has `tags[starts[p] : starts[p] + counts[p]]`, ascending.

    `gaps` holds, for each positive, how many tags below it are not positives of its post. `entities` and `rows` give
    each post's rows in the factors and in the feature matrices.
    """

    entities: Mapping[str, Tensor]
    features: Mapping[str, Tensor]
    rows: Tensor
    starts: Tensor
    counts: Tensor
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

        known = {name: codes(posts[name], names[f"{name}s"]) for name in contexts.names if name in ("user", "photo")}
        seen = {name: features.matrices[name] for name in contexts.names if name not in known}
        pairs = posts.select("tags").with_row_index("post").explode("tags")
        pairs = pairs.with_columns(tag=codes(pairs["tags"], names["tags"])).sort("post", "tag")
        counts = np.bincount(pairs["post"].to_numpy(), minlength=len(posts))
        starts = np.cumsum(counts) - counts
        tags = pairs["tag"].to_numpy()
        return cls(
            entities={name: tensor(rows) for name, rows in known.items()},
            features={name: tensor(matrix) for name, matrix in seen.items()},
            rows=tensor(features.rows(posts["photo"]) if seen else np.zeros(len(posts), np.int64)),
            starts=tensor(starts),
            counts=tensor(counts),
            tags=tensor(tags),
            gaps=tensor(tags - (np.arange(len(tags)) - np.repeat(starts, counts))),
            vocabulary=len(names["tags"]),
        )

    def epoch(self, batch: int, generator: torch.Generator) -> Iterator[Batch]:
        """Every positive once, with a negative drawn for it, in batches of posts in random order."""
        order = torch.randperm(len(self.counts), generator=generator, device=self.counts.device)
        counts = self.counts[order]
        ends = counts.cumsum(0)
        positives, negatives, posts = self.draw(order, generator)
        # One wait for the device an epoch: where each batch's quadruples end.
        bounds = [0, *ends[batch - 1 :: batch].tolist()]
        if bounds[-1] < len(posts):
            bounds.append(len(posts))
        for first, (low, high) in zip(range(0, len(order), batch), pairwise(bounds), strict=True):
            chosen = order[first : first + batch]
            yield Batch(
                entities={name: rows[chosen] for name, rows in self.entities.items()},
                features={name: matrix[self.rows[chosen]] for name, matrix in self.features.items()},
                post=posts[low:high] - first,
                positive=positives[low:high],
                negative=negatives[low:high],
            )

    def draw(self, posts: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """All positives of posts, a negative for each, and the position in `posts` that they belong to: three (Q,).

        A negative is uniform over the tags that are no positives of the post (Algorithm 1, line 7): the r-th of them,
        with r uniform, which is r plus the number of positives with at most r non-positives below. That draws what
        drawing again until it fits would draw, in a fixed number of steps.
        """
        counts = self.counts[posts]
        firsts = counts.cumsum(0) - counts
        size = len(self.tags) if len(posts) == len(self.counts) else int(counts.sum())
        position = torch.repeat_interleave(counts, output_size=size)
        index = torch.arange(size, device=posts.device) + (self.starts[posts] - firsts)[position]
        free = (self.vocabulary - counts)[position]
        uniform = torch.rand(size, generator=generator, dtype=torch.float64, device=posts.device)
        draw = (uniform * free).long()
        base = position * self.vocabulary
        below = torch.searchsorted(base + self.gaps[index], base + draw, right=True) - firsts[position]
        return self.tags[index], draw + below, position
