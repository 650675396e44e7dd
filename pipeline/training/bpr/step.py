"""A step of training: what is learnt from one batch."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from pipeline.models.factorisation import Contexts
from pipeline.training.bpr.data import Batch, Block
from pipeline.training.bpr.gradients import add_gradients, post_vectors
from pipeline.training.bpr.losses import LOSSES
from pipeline.training.bpr.negatives import AdaptiveSampler
from pipeline.training.bpr.trials import TrialParameters


class Step:
    """The update of the parameters of trials by the gradients of a batch."""

    def __init__(self, contexts: Contexts, sampler: AdaptiveSampler | None, parameters: TrialParameters):
        self.contexts, self.sampler, self.parameters = contexts, sampler, parameters
        self.loss = LOSSES[parameters.settings[0].loss]
        self.rates, self.l2 = parameters.setting("learning_rate"), parameters.setting("l2")

    def begin(self, epoch: int) -> None:
        """Sets the learning rates of an epoch."""
        self.rates.copy_(self.parameters.rates(epoch))

    def ready(self, block: Block, generator: torch.Generator) -> Sequence[Callable[[], None]]:
        """Returns the calls that learn from a block's batches, each to be made once, in order."""
        return [partial(self.learn_from, batch, self.draw(batch, generator)) for batch in block]

    def draw(self, batch: Batch, generator: torch.Generator) -> Tensor | None:
        """Draws the numbers for a batch's hard negatives; None for uniform ones, which are part of the batch."""
        return None if self.sampler is None else self.sampler.draw(len(batch.quadruples.post), generator)

    def learn_from(self, batch: Batch, uniform: Tensor | None) -> None:
        """Learns from a batch; uniform: of `draw`."""
        self.prepare(len(batch.quadruples.post))
        self.learn(batch, uniform)

    def uniform_shape(self, size: int) -> tuple[int, ...] | None:
        """Returns the shape of the numbers for the hard negatives of Q quadruples; None for uniform ones."""
        return None if self.sampler is None else self.sampler.uniform_shape(size)

    def prepare(self, size: int) -> None:
        """Prepares for Q quadruples by operations that cannot be captured."""
        if self.sampler is not None:
            self.sampler.prepare(size, self.parameters.parameters)

    def learn(self, batch: Batch, uniform: Tensor | None) -> None:
        """Learns from a batch by operations on tensors alone; uniform: of `draw`."""
        tables = self.parameters.parameters
        vectors = post_vectors(self.contexts, tables, batch.inputs)  # (B, G, W)
        if self.sampler is not None:
            batch = self.sampler.harden(batch, vectors, uniform)
        add_gradients(self.contexts, tables, self.parameters.gradients, batch, vectors, self.loss)
        self.parameters.optimizer.step(batch.inputs.entities, self.rates, self.l2)
