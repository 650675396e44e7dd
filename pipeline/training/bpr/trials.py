"""Trials: settings of one model that are trained side by side. The progress of each, and the parameters of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Self

import torch
from torch import Tensor

from pipeline.data.schema import TAG
from pipeline.models.settings import TagVectors, TrainingConfig
from pipeline.training.bpr.gradients import Gradients
from pipeline.training.bpr.layout import Layout
from pipeline.training.bpr.optimizers import Optimizer
from pipeline.training.bpr.tag_vectors import start_alike

SIDE_BY_SIDE = {"learning_rate", "decay", "l2", "sigma"}
"""The settings that may differ between trials that are trained side by side."""


def shared_settings(settings: TrainingConfig) -> str:
    """Returns the settings that trials side by side share, to be compared."""
    return settings.model_dump_json(exclude=SIDE_BY_SIDE)


@dataclass
class Trial:
    """One trial and its progress."""

    settings: TrainingConfig
    """Its settings."""
    member: int = 0
    """The number of its start among those of trials with the same settings."""
    curve: list[list[float | None]] = field(default_factory=list)
    """The points of its training curve so far."""
    best_epoch: int | None = None
    """The epoch whose parameters are kept, None before there is one."""
    best_score: float | None = None
    """The smoothed measure on validation posts after that epoch, None without such posts."""
    points_since_best: int = 0
    """The number of points of the curve that came after it."""
    diverged: int | None = None
    """The epoch in which its numbers were no longer finite."""
    epochs: int | None = None
    """The number of epochs that it ran, once it has ended."""

    def add_point(self, point: list[float | None], last: bool) -> bool:
        """Adds a point to the curve; returns whether the parameters are now the ones to keep.

        They are where the smoothed score is the best so far, and without validation posts those of the last epoch.
        """
        self.curve.append(point)
        score = None if point[-1] is None else self.smoothed_score(last)
        if score is None:
            better = last
        else:
            better = self.best_score is None or score > self.best_score
            self.points_since_best += 1
        if better:
            self.best_epoch, self.best_score, self.points_since_best = point[0], score, 0
        return better

    def smoothed_score(self, last: bool) -> float | None:
        """Averages the measures on validation posts of the last points; of too few, None before the last epoch."""
        scores = [point[-1] for point in self.curve[-self.settings.smoothing :]]
        return fmean(scores) if last or len(scores) == self.settings.smoothing else None

    @property
    def out_of_patience(self) -> bool:
        """True when too many points of the curve were no better than the best one."""
        return 0 < self.settings.patience <= self.points_since_best

    def progress(self) -> dict[str, Any]:
        """Returns everything except the settings, for a checkpoint."""
        return {name: value for name, value in vars(self).items() if name != "settings"}


class TrialParameters:
    """The parameters of G trials, (rows, G, columns), their gradients, and what the optimizer remembers."""

    def __init__(
        self,
        settings: Sequence[TrainingConfig],
        parameters: Mapping[str, Tensor],
        states: Mapping[str, Tensor] | None = None,
    ):
        self.settings, self.parameters = list(settings), dict(parameters)
        self.gradients = Gradients.zeros(parameters)
        self.optimizer = Optimizer(settings[0].optimizer, self.parameters, self.gradients, states)

    @classmethod
    def start(
        cls, layout: Layout, settings: Sequence[TrainingConfig], seed: int, device: torch.device, members: int = 1
    ) -> Self:
        """Starts so many trials of each settings, one after another, from as many draws of normal numbers, times σ."""
        generator = torch.Generator().manual_seed(seed)
        starts = [normal_numbers(layout, settings[0].tag_vectors, generator) for _ in range(members)]
        # Each table (rows, 1, columns) times σ: (rows, G, columns).
        tables = {
            name: torch.cat([start[name] * each.sigma for each in settings for start in starts], dim=1)
            for name in layout.shapes
        }
        repeated = [each for each in settings for _ in starts]
        return cls(repeated, {name: table.to(device) for name, table in tables.items()})

    def setting(self, name: str) -> Tensor:
        """Returns a setting of each trial, (G,)."""
        device = self.gradients.loss.device
        return torch.tensor([getattr(trial, name) for trial in self.settings], device=device)

    def rates(self, epoch: int) -> Tensor:
        """Returns the learning rate of each trial in an epoch, (G,); they are numbered from 1."""
        return self.setting("learning_rate") * self.setting("decay") ** (epoch - 1)

    def finite(self) -> list[bool]:
        """Returns for each trial whether all its parameters are finite."""
        ends = [parameter.isfinite().all(2).all(0) for parameter in self.parameters.values()]
        return torch.stack(ends).all(0).tolist()

    def copy(self, place: int) -> dict[str, Tensor]:
        """Copies the parameters of the trial at one place, (rows, columns)."""
        return {name: parameter[:, place].clone() for name, parameter in self.parameters.items()}

    def keep(self, places: Sequence[int]) -> Self:
        """Returns the trials at some places, without the others."""
        chosen = torch.tensor(places, device=self.gradients.loss.device)
        parameters, states = (
            {name: tensor.index_select(1, chosen) for name, tensor in tensors.items()}
            for tensors in (self.parameters, self.optimizer.states)
        )
        return type(self)([self.settings[place] for place in places], parameters, states)


def normal_numbers(layout: Layout, vectors: TagVectors | None, generator: torch.Generator) -> dict[str, Tensor]:
    """Draws the numbers from which trials start, (rows, 1, columns), alike for tags whose vectors are."""
    drawn = {
        name: torch.randn(rows, 1, columns, generator=generator) for name, (rows, columns) in layout.shapes.items()
    }
    if vectors is not None:
        start_alike(drawn[TAG], vectors, layout.names[TAG], generator)
    return drawn
