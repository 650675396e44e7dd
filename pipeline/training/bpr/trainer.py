"""The trainer of factorisation models.

torch, which takes seconds to import, is imported where it is needed: a baseline does without it.
"""

import math
from collections.abc import Sequence
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.models.grid import Grid
from pipeline.models.settings import TrainedConfig, TrainingConfig, merged
from pipeline.training.bpr.checkpoint import Checkpoint
from pipeline.training.rungs import Rung, rungs
from pipeline.training.task import Fitted, TrainingTask
from pipeline.training.trainer import Trainer

if TYPE_CHECKING:
    import torch

STEPS_UNTIL_COMPARED = 1000
"""Steps before which no combination is eliminated: those that learn slowly, and perhaps best, have not got far.

An epoch of few posts has few steps, so that small sets are searched whole, which takes seconds.
"""


class BPRTrainer(Trainer):
    """A trainer by BPR: on a GPU where there is one, with settings side by side where they allow it."""

    draws = True

    def fit(self, configs: Sequence[TrainedConfig], task: TrainingTask, work: Path | None = None) -> list[Fitted]:
        return self.advance(configs, task, None, work, None)

    def advance(
        self,
        configs: Sequence[TrainedConfig],
        task: TrainingTask,
        epochs: int | None,
        work: Path | None,
        before: Path | None,
    ) -> list[Fitted]:
        from pipeline.training.bpr.train import train
        from pipeline.training.bpr.trials import shared_settings

        settings = [settings_of(config) for config in configs]

        def shared(place: int) -> str:
            return shared_settings(settings[place])

        fitted: dict[int, Fitted] = {}
        for common, group in groupby(sorted(range(len(configs)), key=shared), key=shared):
            places = list(group)
            name = f"{sha256(common.encode()).hexdigest()[:8]}.safetensors"
            checkpoints = [Checkpoint(folder / name) for folder in (work, before) if folder]
            trials = [settings[place] for place in places]
            fitted |= zip(places, train(configs[places[0]], trials, task, device(), checkpoints, epochs), strict=True)
        return [fitted[place] for place in range(len(configs))]

    def complete(self, config: TrainedConfig, shared: TrainingConfig) -> TrainedConfig:
        return config.with_settings(merged(shared, config.training).model_dump())

    def grid(self, config: TrainedConfig, shared: Grid) -> Grid:
        return shared if config.grid is None else config.grid

    def finds_epochs(self, config: TrainedConfig) -> bool:
        return settings_of(config).patience > 0

    def rungs(self, configs: Sequence[TrainedConfig], posts: int, eliminate: int) -> list[Rung]:
        settings = [settings_of(config) for config in configs]
        least = max(epochs_until_compared(one, posts) for one in settings)
        if len({one.epochs for one in settings}) > 1:
            eliminate = 1  # The epochs are what is compared.
        return rungs(len(configs), settings[0].epochs, least, eliminate)

    def with_epochs(self, config: TrainedConfig, epochs: int) -> TrainedConfig:
        return config.with_settings({"epochs": epochs})


def settings_of(config: TrainedConfig) -> TrainingConfig:
    """Returns the settings of training of a complete model."""
    return TrainingConfig.model_validate(config.training.model_dump())


def epochs_until_compared(settings: TrainingConfig, posts: int) -> int:
    """Returns the epochs over so many posts after which a smoothed measure says who may win."""
    steps = math.ceil(posts / settings.batch)
    return max(settings.smoothing * settings.curve_every, math.ceil(STEPS_UNTIL_COMPARED / steps))


def device() -> "torch.device":
    """Returns the device that training runs on."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
