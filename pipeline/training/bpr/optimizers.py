"""Steps along summed gradients."""

from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.training.bpr.gradients import Gradients
from pipeline.training.bpr.loops import loops_for


class Optimizer:
    """Moves parameters (rows, G trials, columns) along summed gradients, with L2, and clears the sums.

    kind: "sgd", θ ← θ − α g (Algorithm 1, line 9; g is the gradient of the negated criterion), or "adagrad",
    θ ← θ − α g / √(Σ g²), for each number by itself (Duchi, Hazan, Singer 2011).
    states: the memory of earlier gradients, of the shape of the parameters: Σ g², or nothing with sgd.
    """

    def __init__(self, kind: str, parameters: Mapping[str, Tensor], states: Mapping[str, Tensor] | None = None):
        self.kind, self.parameters = kind, parameters
        self.states = self.first_states() if states is None else states
        self.all_rows = {name: torch.arange(len(table), device=table.device) for name, table in parameters.items()}

    def first_states(self) -> dict[str, Tensor]:
        """Makes the states before the first step."""
        if self.kind == "sgd":
            return {}
        # Not zero, so that a number that never had a gradient stays where it is.
        return {name: torch.full_like(parameter, 1e-10) for name, parameter in self.parameters.items()}

    def step(self, gradients: Gradients, rows: Mapping[str, Tensor], rates: Tensor, l2: Tensor) -> None:
        """Makes one step with α and λ of each trial, (G,).

        rows: the rows that have a gradient, of parameters in which they are few; a row that repeats moves once.
        """
        for name, parameter in self.parameters.items():
            state = [self.states[name]] if name in self.states else []
            move = getattr(loops_for(parameter), self.kind)
            move(rows.get(name, self.all_rows[name]), gradients.of(name, parameter), rates, l2, *state)
