"""Measures of models in training: tags are ranked where the parameters lie, and hits are measured as in evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from pipeline.data.schema import TAG, TAGS
from pipeline.evaluation.metrics.measure import Measure
from pipeline.models.factorisation import Contexts
from pipeline.models.model import BIAS
from pipeline.training.bpr.encoding import EncodedPosts, Encoder
from pipeline.training.bpr.gradients import post_vectors
from pipeline.training.bpr.loops import loops_for

POSTS_PER_CHUNK = 1024
"""Posts scored at a time."""


@dataclass(frozen=True)
class ValidationSet:
    """P posts on the device for which models in training suggest tags.

    Tags are scored and ranked, and hits marked, without waiting for a GPU; all hits are copied from there at once.
    """

    inputs: EncodedPosts
    """Their inputs to the contexts."""
    post: Tensor
    """The post of each of their tags that the model knows, ascending, int64."""
    tag: Tensor
    """Each of those tags, int64."""
    bounds: Sequence[int]
    """The place of the first of those tags of each POSTS_PER_CHUNK of posts, and their number."""
    sizes: Tensor
    """The number of tags of each post, with those that the model does not know, on the CPU, (P,) int64."""
    measure: Measure
    """The measure."""

    @classmethod
    def encode(cls, posts: pl.DataFrame, encoder: Encoder, measure: Measure) -> Self:
        """Puts posts (columns user, photo, tags) on the device."""
        post, tag = encoder.assignments(posts)
        known = tag >= 0
        post, tag = post[known], tag[known]
        bounds = np.searchsorted(post, np.arange(0, len(posts) + POSTS_PER_CHUNK, POSTS_PER_CHUNK)).tolist()
        sizes = torch.tensor(posts[TAGS].list.len().cast(pl.Int64).to_numpy())
        return cls(encoder.encode(posts), encoder.tensor(post), encoder.tensor(tag), bounds, sizes, measure)

    def tensors(self) -> list[Tensor]:
        """Returns all tensors except the features, to be hashed."""
        return [*self.inputs.tensors(), self.post, self.tag, self.sizes]

    def scores(self, contexts: Contexts, parameters: Mapping[str, Tensor]) -> list[float]:
        """Measures each of G trials, whose parameters are (rows, G, columns)."""
        hits = [self.hits(contexts, parameters, chunk) for chunk in range(len(self.bounds) - 1)]
        return self.measure.of(torch.cat(hits, dim=1).cpu().numpy(), self.sizes.numpy()).tolist()

    def hits(self, contexts: Contexts, parameters: Mapping[str, Tensor], chunk: int) -> Tensor:
        """Marks the hits among the K best tags of a chunk of B posts, (G, B, K) bool."""
        # Scores of all tags, (G, B, T).
        first, last = chunk * POSTS_PER_CHUNK, min((chunk + 1) * POSTS_PER_CHUNK, len(self.sizes))
        chosen = torch.arange(first, last, device=self.post.device)
        vectors = post_vectors(contexts, parameters, self.inputs.select(chosen))
        scores = vectors.transpose(0, 1) @ parameters[TAG].permute(1, 2, 0)
        if BIAS in parameters:
            scores += parameters[BIAS].permute(1, 2, 0)

        # The tags of the posts, (B, T) bool, at the places of the best scores, (G, B, K).
        own = slice(self.bounds[chunk], self.bounds[chunk + 1])
        relevant = torch.zeros(scores.shape[1:], dtype=torch.bool, device=scores.device)
        k, tags = self.measure.k, scores.shape[2]
        relevant.view(-1).index_fill_(0, (self.post[own] - first) * tags + self.tag[own], True)
        hits = relevant.expand(scores.shape).gather(2, best(scores, min(k, tags)))
        return torch.nn.functional.pad(hits, (0, max(0, k - tags)))


def best(scores: Tensor, length: int) -> Tensor:
    """Finds the places of the highest scores (…, T), (…, length) int64; on a CPU, ties keep their order."""
    top = torch.empty(*scores.shape[:-1], length, dtype=torch.int64, device=scores.device)
    loops_for(scores).best(scores.flatten(0, -2), top.view(-1, length))
    return top
