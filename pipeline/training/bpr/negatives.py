"""Negatives that are hard for the model as it is: adaptive sampling (Rendle and Freudenthaler, WSDM 2014).

"Improving pairwise learning for item recommendation from implicit feedback", Section 4.3: a factor is drawn for the
post, |v_f| σ_f each, then a rank, e^(-r/λ), and the negative is the tag of that rank in the factor's order of tags. The
orders are made anew only after so many draws that a draw costs, in proportion, as little as a uniform one: T log T in
the paper, and a few times as many here, because a step of sorting costs more than one of a gradient.

Letters of shapes: B posts, Q quadruples, T tags, G trials, F columns of the tag factors and, where there is one, the
bias as one more.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from pipeline.data.schema import TAG
from pipeline.models.model import BIAS
from pipeline.models.settings import AdaptiveNegatives
from pipeline.training.bpr.data import Batch
from pipeline.training.bpr.loops import loops_for
from pipeline.training.bpr.loops.quadruples import TagOrders

ROUNDS = 4
"""The number of draws, each after a positive of the post, before the uniform negative is taken instead."""

REFRESH = 8
"""The number of draws, in T log T, after which the orders are renewed."""


class AdaptiveSampler:
    """Draws a negative for each quadruple and trial."""

    def __init__(self, config: AdaptiveNegatives, vocabulary: int):
        self.mean = config.mean_rank * vocabulary
        self.refresh_after = REFRESH * vocabulary * math.log(vocabulary)
        self.drawn, self.orders = math.inf, None

    def keep(self, places: Sequence[int]) -> None:
        """Keeps the orders of the trials at some places."""
        chosen = torch.tensor(places, device=self.orders.deviation.device)
        self.orders = self.orders._replace(
            tags=self.orders.tags.index_select(1, chosen), deviation=self.orders.deviation.index_select(0, chosen)
        )

    def state(self) -> dict[str, Tensor]:
        """Returns all that decides the draws to come, apart from the parameters and the generator."""
        drawn = torch.tensor(self.drawn)
        return {"orders": self.orders.tags, "deviation": self.orders.deviation, "drawn": drawn}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Puts back what `state` returned."""
        self.orders, self.drawn = TagOrders(state["orders"], state["deviation"], self.mean), state["drawn"].item()

    def refresh(self, parameters: Mapping[str, Tensor]) -> None:
        """Orders the tags by each column of their factors, in the memory of the orders before."""
        tables = [parameters[name] for name in (TAG, BIAS) if name in parameters]
        columns = torch.cat([table.permute(2, 1, 0) for table in tables])
        # Over the rows as they lie in memory, which torch's own deviation does not read.
        deviation = torch.cat([(table - table.mean(0)).square_().mean(0).sqrt_() for table in tables], dim=1)
        tags = loops_for(columns).order(columns)
        if self.orders is None:
            self.orders = TagOrders(tags, deviation, self.mean)
        else:
            self.orders.tags.copy_(tags)
            self.orders.deviation.copy_(deviation)
        self.drawn = 0

    def draw(self, size: int, generator: torch.Generator) -> Tensor:
        """Draws the numbers for Q quadruples, (ROUNDS, 2, Q) float64, whatever the model is by then."""
        return torch.rand(self.uniform_shape(size), generator=generator, dtype=torch.float64, device=generator.device)

    def redraw(self, uniform: Tensor, generator: torch.Generator) -> None:
        """Draws the numbers for some batches into `uniform`, (batches, ROUNDS, 2, Q) float64."""
        uniform.uniform_(generator=generator)

    def uniform_shape(self, size: int) -> tuple[int, int, int]:
        """Returns the shape of the numbers for Q quadruples."""
        return ROUNDS, 2, size

    def prepare(self, size: int, parameters: Mapping[str, Tensor]) -> None:
        """Renews the orders if they are due, before Q quadruples are hardened."""
        if self.drawn >= self.refresh_after:
            self.refresh(parameters)
        self.drawn += size

    def harden(self, batch: Batch, vectors: Tensor, uniform: Tensor) -> Batch:
        """Replaces the batch's negatives by one for each trial, (Q, G). All trials share the numbers that are drawn.

        vectors: of `post_vectors`, (B, G, W); uniform: of `draw`.
        """
        negative = batch.quadruples.negative.expand(-1, vectors.shape[1]).contiguous()
        quadruples = batch.quadruples._replace(negative=negative)
        loops_for(vectors).harden(vectors, self.orders, quadruples, uniform)
        return replace(batch, quadruples=quadruples)
