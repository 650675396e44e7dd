"""Negatives that are hard for the model as it is: adaptive sampling (Rendle and Freudenthaler, WSDM 2014).

"Improving pairwise learning for item recommendation from implicit feedback", Section 4.3: a factor is drawn for the
post, |v_f| σ_f each, then a rank, e^(-r/λ), and the negative is the tag of that rank in the factor's order of tags. The
orders are made anew only after so many draws that a draw costs, in proportion, as little as a uniform one: T log T in
the paper, and a few times as many here, because a step of sorting costs more than one of a gradient.

Letters of shapes: B posts, Q quadruples, T tags, G trials, F columns of the tag factors and, where there is one, the
bias as one more.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from pipeline.data.schema import TAG
from pipeline.models.model import BIAS
from pipeline.models.settings import AdaptiveNegatives
from pipeline.training.bpr.data import Batch, TrainingPosts

ROUNDS = 4
"""The number of times that a positive of the post is drawn again before the uniform negative is taken instead."""

REFRESH = 8
"""The number of draws, in T log T, after which the orders are made anew."""


class AdaptiveSampler:
    """Draws a negative for each quadruple and trial. It starts anew with each epoch: there is no state to keep."""

    def __init__(self, config: AdaptiveNegatives, data: TrainingPosts):
        self.keys, self.tags = data.keys(), data.positives.vocabulary
        self.mean = config.mean_rank * self.tags
        self.refresh_after = REFRESH * self.tags * math.log(self.tags)
        self.start_epoch()

    def start_epoch(self) -> None:
        """Forgets the orders of the tags."""
        self.drawn, self.order, self.deviation = math.inf, None, None

    def refresh(self, parameters: Mapping[str, Tensor]) -> None:
        """Orders the tags by each column of their factors, best first: `order`, (F, G, T)."""
        columns = parameters[TAG].movedim(0, -1).transpose(0, 1)
        if BIAS in parameters:
            columns = torch.cat([columns, parameters[BIAS].permute(2, 1, 0)])
        self.order = columns.argsort(dim=-1, descending=True, stable=True)
        self.deviation = columns.std(dim=-1, correction=0).T
        self.drawn = 0

    def harden(
        self, batch: Batch, vectors: Tensor, parameters: Mapping[str, Tensor], generator: torch.Generator
    ) -> Batch:
        """Replaces the batch's negatives by one for each trial, (Q, G). All trials share the numbers that are drawn.

        vectors: of `post_vectors`, (B, G, W).
        """
        quadruples = batch.quadruples
        if self.drawn >= self.refresh_after:
            self.refresh(parameters)
        self.drawn += len(quadruples.post)
        if BIAS in parameters:
            vectors = torch.cat([vectors, vectors.new_ones(*vectors.shape[:2], 1)], dim=-1)
        steps, row = self.factor_steps(vectors), self.rows(vectors)[quadruples.post]

        # What is drawn is kept where it is no positive of the post and none was kept before.
        base = (batch.posts[quadruples.post] * self.tags)[:, None]
        negative = quadruples.negative.expand(-1, vectors.shape[1])
        done = torch.zeros_like(negative, dtype=torch.bool)
        for _ in range(ROUNDS):
            shape = 2, len(quadruples.post), 1
            uniform = torch.rand(shape, generator=generator, dtype=torch.float64, device=vectors.device)
            drawn = self.draw_tags(vectors, steps, row, uniform)
            key = base + drawn
            place = torch.searchsorted(self.keys, key).clamp(max=len(self.keys) - 1)
            free = self.keys[place] != key
            negative = torch.where(free & ~done, drawn, negative)
            done |= free
        return replace(batch, quadruples=quadruples._replace(negative=negative))

    def factor_steps(self, vectors: Tensor) -> Tensor:
        """Lays the distributions over factors end to end, so that one search serves all: (B · G · F,).

        Each row (post, trial) of cumulated weights ends at 1, so that row + weight ascends throughout; also that of a
        trial that diverges, so that it does not spoil the search of the others.
        """
        weights = (vectors.abs() * self.deviation).double().cumsum(-1)
        shares = (weights / weights[..., -1:].clamp_min(1e-300)).nan_to_num(nan=0.0)
        return (shares + self.rows(vectors)[..., None]).flatten()

    def draw_tags(self, vectors: Tensor, steps: Tensor, row: Tensor, uniform: Tensor) -> Tensor:
        """Draws a tag for each quadruple and trial, (Q, G), which may be a positive of the post.

        vectors: (B, G, F); steps: of `factor_steps`; row: `rows` of each quadruple, (Q, G); uniform: (2, Q, 1).
        """
        # A factor f of each quadruple and trial, with the probability |v_f| σ_f, (Q, G).
        factors = vectors.shape[2]
        factor = (torch.searchsorted(steps, row + uniform[0], right=True) - row * factors).clamp(0, factors - 1)

        # A rank of each quadruple, (Q, 1): the inverse of the distribution function of e^(-r/λ) on 0 ≤ r < T.
        rank = -self.mean * torch.log1p(uniform[1] * math.expm1(-self.tags / self.mean))
        rank = rank.long().clamp(max=self.tags - 1)

        # The tag of that rank, counted from the other end where v_f is negative, (Q, G).
        upward = vectors.flatten(0, 1)[row, factor] < 0
        trial = torch.arange(vectors.shape[1], device=vectors.device)
        return self.order[factor, trial, torch.where(upward, self.tags - 1 - rank, rank)]

    @staticmethod
    def rows(vectors: Tensor) -> Tensor:
        """Numbers the posts and trials of vectors (B, G, F), (B, G) int64."""
        posts, trials = vectors.shape[:2]
        return torch.arange(posts * trials, device=vectors.device).view(posts, trials)
