"""The interface of a trainer."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pipeline.models.grid import Grid
from pipeline.models.settings import BaseModelConfig, TrainingConfig
from pipeline.training.rungs import Rung
from pipeline.training.task import Fitted, TrainingTask


class Trainer(ABC):
    """A way to fit models: those of the classes that name it.

    All methods except `fit` are as models need them that are fitted at once, without epochs.
    """

    draws: ClassVar[bool] = False
    """True where another seed gives another model."""

    @abstractmethod
    def fit(self, configs: Sequence[BaseModelConfig], task: TrainingTask, work: Path | None = None) -> list[Fitted]:
        """Fits one model with each of some complete settings.

        work: a folder for unfinished training, from which a killed run resumes.
        """

    def advance(
        self,
        configs: Sequence[BaseModelConfig],
        task: TrainingTask,
        epochs: int | None,  # noqa: ARG002 (there are none)
        work: Path | None,
        before: Path | None,  # noqa: ARG002 (as above)
    ) -> list[Fitted]:
        """Fits models for a rung of the search: for `epochs` epochs in total, at most, or to the end.

        before: the folder in which an earlier rung of these settings, and perhaps of others, kept its checkpoints.
        """
        return self.fit(configs, task, work)

    def complete(self, config: BaseModelConfig, shared: TrainingConfig) -> BaseModelConfig:  # noqa: ARG002 (nothing is shared)
        """Returns a model with all settings of its training: its own, and elsewhere the shared ones."""
        return config

    def grid(self, config: BaseModelConfig, shared: Grid) -> Grid:  # noqa: ARG002 (as above)
        """Returns the values to try of a model's settings: its own grid, or the shared one."""
        return config.grid or {}

    def finds_epochs(self, config: BaseModelConfig) -> bool:  # noqa: ARG002 (there are none)
        """Returns whether the number of epochs is chosen on validation posts."""
        return False

    def rungs(self, configs: Sequence[BaseModelConfig], posts: int, eliminate: int) -> list[Rung]:  # noqa: ARG002 (as above)
        """Plans the successive halving of complete models on so many posts; without epochs, one rung has all."""
        return [Rung(len(configs), 0)]

    def with_epochs(self, config: BaseModelConfig, epochs: int) -> BaseModelConfig:  # noqa: ARG002 (as above)
        """Returns a complete model that is trained for a number of epochs."""
        return config
