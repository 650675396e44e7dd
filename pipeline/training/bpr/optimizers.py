"""Steps along gradients that were summed up in place."""

from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.training.bpr import loops as ways
from pipeline.training.bpr.gradients import Gradients


class Optimizer:
    """Applies summed gradients to parameters (rows, G trials, columns), with L2, and sets them back to zero.

    name: "sgd", θ ← θ − α g (Algorithm 1, line 9; g is the gradient of the negated criterion), or "adagrad",
    θ ← θ − α g / √(Σ g²), for each number by itself (Duchi, Hazan, Singer 2011). `states` holds what is remembered of
    the gradients, of the shape of the parameters: nothing, or the sums.
    """

    def __init__(self, name: str, parameters: Mapping[str, Tensor], states: Mapping[str, Tensor] | None = None):
        self.name, self.parameters = name, parameters
        self.states = self.fresh() if states is None else states
        self.all_rows = {name: torch.arange(len(table), device=table.device) for name, table in parameters.items()}

    def fresh(self) -> dict[str, Tensor]:
        """The states before the first step."""
        if self.name == "sgd":
            return {}
        # Not zero, so that what never had a gradient stays where it is.
        return {name: torch.full_like(parameter, 1e-10) for name, parameter in self.parameters.items()}

    def step(self, gradients: Gradients, touched: Mapping[str, Tensor], rates: Tensor, l2: Tensor) -> None:
        """One step with α and λ of each trial, (G,). `touched` names the rows of large tensors that have a gradient.

        A row that repeats among them moves once.
        """
        for name, parameter in self.parameters.items():
            state = [self.states[name]] if name in self.states else []
            rows = touched.get(name, self.all_rows[name])
            move = getattr(ways.of(parameter), self.name)
            move(rows, parameter, gradients.slopes[name], gradients.uses[name], rates, l2, *state)
