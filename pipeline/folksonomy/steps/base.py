"""The interface of a refinement step."""

from abc import ABC, abstractmethod

import numpy as np

from pipeline.config import Config
from pipeline.folksonomy.folksonomy import Folksonomy


class Step(Config, ABC):
    """One step of a refinement: its settings, and the assignments that it leaves.

    Its first field is `keep` or `drop`, and names the step.
    """

    def check(self) -> None:
        """Raises InputError when this machine lacks something that the step needs."""

    @abstractmethod
    def label(self) -> str:
        """Describes the step in a table of what each step left."""

    @abstractmethod
    def apply(self, folksonomy: Folksonomy, rng: np.random.Generator) -> Folksonomy:
        """Leaves some of a folksonomy's assignments; randomness, if any, comes from `rng`."""
