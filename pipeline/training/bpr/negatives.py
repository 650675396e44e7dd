"""Negatives that are hard for the model as it is: adaptive sampling (Rendle and Freudenthaler, WSDM 2014).

"Improving pairwise learning for item recommendation from implicit feedback", Section 4.3: a factor is drawn for the
post, |v_f| σ_f each, then a rank, e^(-r/λ), and the negative is the tag of that rank in the factor's order of tags. The
orders are made anew after so many draws that a draw costs as little as a uniform one, in proportion: T log T in the
paper, and a few times as many here, because a step of sorting costs more than one of a gradient.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.models.settings import AdaptiveNegatives
from pipeline.training.bpr.data import Batch, TrainingPosts

ROUNDS = 4
"""How often a tag that is a positive of the post is drawn again before the uniform negative is taken instead."""

REFRESH = 8
"""How many times T log T draws go by before the orders are made anew."""


class AdaptiveSampler:
    """Draws a negative for each quadruple and trial. It starts anew with each epoch: there is no state to keep."""

    def __init__(self, config: AdaptiveNegatives, data: TrainingPosts):
        self.keys, self.tags = data.keys(), data.vocabulary
        self.mean = config.mean_rank * data.vocabulary
        self.refresh_after = REFRESH * data.vocabulary * math.log(data.vocabulary)
        self.start_epoch()

    def start_epoch(self) -> None:
        """Forgets the orders of the tags."""
        self.drawn, self.order, self.deviation = math.inf, None, None

    def refresh(self, parameters: Mapping[str, Tensor]) -> None:
        """Orders the tags by each column of their factors, best first: (F, G, T). A bias is a column like any other."""
        columns = parameters["tag"].movedim(0, -1).transpose(0, 1)
        if "bias" in parameters:
            columns = torch.cat([columns, parameters["bias"].permute(2, 1, 0)])
        self.order = columns.argsort(dim=-1, descending=True, stable=True)
        self.deviation = columns.std(dim=-1, correction=0).T
        self.drawn = 0

    def draw(
        self, batch: Batch, vectors: Tensor, parameters: Mapping[str, Tensor], generator: torch.Generator
    ) -> Tensor:
        """A negative for each quadruple and trial, (Q, G) int64. All trials share the numbers that are drawn."""
        if self.drawn >= self.refresh_after:
            self.refresh(parameters)
        self.drawn += len(batch.post)
        if "bias" in parameters:
            vectors = torch.cat([vectors, vectors.new_ones(*vectors.shape[:2], 1)], dim=-1)
        posts, trials, factors = vectors.shape
        # Each row of cumulated weights ends at 1: row + weight is one ascending sequence, searched once for all; that
        # of a trial that diverges, too, so that it does not spoil the search of the others.
        weights = (vectors.abs() * self.deviation).double().cumsum(-1)
        shares = (weights / weights[..., -1:].clamp_min(1e-300)).nan_to_num(nan=0.0)
        rows = torch.arange(posts * trials, device=vectors.device).view(posts, trials)
        steps = (shares + rows[..., None]).flatten()
        row = rows[batch.post]
        trial = torch.arange(trials, device=vectors.device)
        base = batch.posts[batch.post] * self.tags
        negative = batch.negative[:, None].expand(-1, trials)
        done = torch.zeros_like(negative, dtype=torch.bool)
        for _ in range(ROUNDS):
            uniform = torch.rand(2, len(row), 1, generator=generator, dtype=torch.float64, device=vectors.device)
            factor = (torch.searchsorted(steps, row + uniform[0], right=True) - row * factors).clamp(0, factors - 1)
            # The inverse of the distribution function of e^(-r/λ) on 0 ≤ r < T.
            rank = -self.mean * torch.log1p(uniform[1] * math.expm1(-self.tags / self.mean))
            rank = rank.long().clamp(max=self.tags - 1)
            upward = vectors.flatten(0, 1)[row, factor] < 0
            drawn = self.order[factor, trial, torch.where(upward, self.tags - 1 - rank, rank)]
            key = base[:, None] + drawn
            place = torch.searchsorted(self.keys, key).clamp(max=len(self.keys) - 1)
            free = self.keys[place] != key
            negative = torch.where(free & ~done, drawn, negative)
            done |= free
        return negative
