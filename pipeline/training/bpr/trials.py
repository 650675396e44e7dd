"""Trials: settings of one model that are trained side by side, and what is known of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from pipeline.models.factorisation import Contexts
from pipeline.models.settings import TrainingConfig
from pipeline.training.bpr.data import TrainingPosts
from pipeline.training.bpr.gradients import Gradients, add_gradients, post_vectors
from pipeline.training.bpr.negatives import AdaptiveSampler
from pipeline.training.bpr.optimizers import Optimizer
from pipeline.training.bpr.threads import ahead


@dataclass
class Trial:
    """One trial: its settings, its curve so far, and the epoch that validated best.

    best: the epoch whose parameters are kept, None before there is one; since: points of the curve after it; failed:
    the epoch in which its numbers were no longer finite; epochs: how many it ran, once it has ended.
    """

    settings: TrainingConfig
    curve: list[list[float | None]] = field(default_factory=list)
    best: int | None = None
    score: float | None = None
    since: int = 0
    failed: int | None = None
    epochs: int | None = None

    def exhausted(self) -> bool:
        """Whether patience is at its end."""
        return bool(self.settings.patience) and self.since >= self.settings.patience

    def smoothed(self, last: bool) -> float | None:
        """The mean F1@5 on validation posts of the curve's last points; of too few there is none before the last."""
        scores = [point[-1] for point in self.curve[-self.settings.smoothing :]]
        return fmean(scores) if last or len(scores) == self.settings.smoothing else None

    def notes(self) -> dict[str, Any]:
        """All but the settings, to be kept in a checkpoint."""
        return {name: value for name, value in vars(self).items() if name != "settings"}


class Stack:
    """The parameters of G trials, (rows, G, columns); their gradients, and what the optimizer remembers."""

    def __init__(
        self,
        contexts: Contexts,
        settings: Sequence[TrainingConfig],
        parameters: Mapping[str, Tensor],
        states: Mapping[str, Tensor] | None = None,
    ):
        self.contexts, self.settings, self.parameters = contexts, list(settings), dict(parameters)
        self.gradients = Gradients.zeros(parameters)
        self.optimizer = Optimizer(settings[0].optimizer, self.parameters, states)
        self.device = parameters["tag"].device
        self.l2 = self.each("l2")

    @classmethod
    def start(
        cls,
        contexts: Contexts,
        settings: Sequence[TrainingConfig],
        shapes: Mapping[str, tuple[int, int]],
        seed: int,
        device: torch.device,
    ) -> "Stack":
        """Trials that start from the same normal numbers, times σ of each."""
        generator = torch.Generator().manual_seed(seed)
        sigmas = torch.tensor([trial.sigma for trial in settings])
        parameters = {}
        for name, (rows, columns) in shapes.items():
            normal = torch.randn(rows, 1, columns, generator=generator)
            parameters[name] = (normal * sigmas[:, None]).to(device)
        return cls(contexts, settings, parameters)

    def each(self, name: str) -> Tensor:
        """A setting of each trial, (G,)."""
        return torch.tensor([getattr(trial, name) for trial in self.settings], device=self.device)

    def epoch(
        self,
        number: int,
        data: TrainingPosts,
        sampler: AdaptiveSampler | None,
        order: torch.Generator,
        draws: torch.Generator,
    ) -> tuple[list[float], list[float]]:
        """One pass over all quadruples: each trial's mean −ln σ(ŷ'), and the share of quadruples ranked right."""
        rates = self.each("learning_rate") * self.each("decay") ** (number - 1)
        if sampler is not None:
            sampler.start_epoch()
        self.gradients.loss.zero_()
        self.gradients.right.zero_()
        blocks = data.epoch(self.settings[0].batch, order, draws)
        # Read ahead, the next block would draw from the same generator as the sampler, at no fixed time.
        if sampler is None and self.device.type == "cpu":
            blocks = ahead(blocks)
        for batch in chain.from_iterable(blocks):
            vectors = post_vectors(self.contexts, self.parameters, batch.entities, batch.features, len(batch.posts))
            negative = batch.negative[:, None]
            if sampler is not None:
                negative = sampler.draw(batch, vectors, self.parameters, draws)
            add_gradients(self.contexts, self.parameters, self.gradients, batch, vectors, negative)
            self.optimizer.step(self.gradients, batch.entities, rates, self.l2)
        size = len(data.tags)
        return (self.gradients.loss / size).tolist(), (self.gradients.right / size).tolist()

    def finite(self) -> list[bool]:
        """Whether all parameters of each trial are finite."""
        ends = [parameter.isfinite().all(2).all(0) for parameter in self.parameters.values()]
        return torch.stack(ends).all(0).tolist()

    def trial(self, place: int) -> dict[str, Tensor]:
        """A copy of one trial's parameters, (rows, columns)."""
        return {name: parameter[:, place].clone() for name, parameter in self.parameters.items()}

    def keep(self, places: Sequence[int]) -> "Stack":
        """The trials at some places, without the others."""
        chosen = torch.tensor(places, device=self.device)
        parts = [
            {name: tensor.index_select(1, chosen) for name, tensor in tensors.items()}
            for tensors in (self.parameters, self.optimizer.states)
        ]
        return Stack(self.contexts, [self.settings[place] for place in places], *parts)
