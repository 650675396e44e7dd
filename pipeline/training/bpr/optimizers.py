"""Steps along summed gradients."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from pipeline.data.schema import TAG
from pipeline.training.bpr.gradients import Gradients
from pipeline.training.bpr.loops import loops_for
from pipeline.training.bpr.loops.stepping import SummedTable
from pipeline.training.bpr.threads import LOOP_COST, in_halves


class Optimizer:
    """Updates parameters (rows, G trials, columns) along their summed gradients, with L2, and clears the sums.

    kind: "sgd", θ ← θ − α g (Algorithm 1, line 9; g is the gradient of the negated criterion), or "adagrad",
    θ ← θ − α g / √(Σ g²), for each number by itself (Duchi, Hazan, Singer 2011).
    states: the memory of earlier gradients, of the shape of the parameters: Σ g², or nothing with sgd.
    """

    def __init__(
        self,
        kind: Literal["sgd", "adagrad"],
        parameters: Mapping[str, Tensor],
        gradients: Gradients,
        states: Mapping[str, Tensor] | None = None,
    ):
        self.states = first_states(kind, parameters) if states is None else states
        loops = loops_for(parameters[TAG])
        self.update = getattr(loops, kind)
        self.tables = {
            name: loops.bind(SummedTable(parameter, gradients.sums[name], gradients.occurrences[name]))
            for name, parameter in parameters.items()
        }
        numbers = sum(parameter.numel() for parameter in parameters.values())
        self.work = 0 if parameters[TAG].is_cuda else numbers * LOOP_COST
        self.all_rows = {name: torch.arange(len(table), device=table.device) for name, table in parameters.items()}

    def step(self, rows: Mapping[str, Tensor], rates: Tensor, l2: Tensor) -> None:
        """Makes one step with α and λ of each trial, (G,).

        rows: the rows that have a gradient, of parameters in which they are few; a row that repeats is updated once.
        """
        names = [*self.tables]

        # A thread updates whole tables: in a row that repeats, two would meet.
        def tables(low: int, high: int) -> None:
            for name in names[low:high]:
                state = [self.states[name]] if name in self.states else []
                self.update(rows.get(name, self.all_rows[name]), self.tables[name], rates, l2, *state)

        in_halves(tables, len(names), self.work)


def first_states(kind: Literal["sgd", "adagrad"], parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Makes the states before the first step."""
    if kind == "sgd":
        return {}
    # Not zero, so that a number that never had a gradient stays where it is.
    return {name: torch.full_like(parameter, 1e-10) for name, parameter in parameters.items()}
