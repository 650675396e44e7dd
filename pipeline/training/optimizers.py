"""Steps along gradients that were summed up in place."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pipeline.training import kernels
from pipeline.training.gradients import Gradients


class Optimizer(ABC):
    """Applies summed gradients to parameters (rows, G trials, columns), with L2, and sets them back to zero.

    `states` holds what is remembered of the gradients, of the shape of the parameters.
    """

    kernel: Callable[..., None]

    def __init__(self, parameters: Mapping[str, Tensor], states: Mapping[str, Tensor] | None = None):
        self.parameters = parameters
        self.states = self.fresh() if states is None else states
        self.all_rows = {name: torch.arange(len(table), device=table.device) for name, table in parameters.items()}

    def step(self, gradients: Gradients, touched: Mapping[str, Tensor], rates: Tensor, l2: Tensor) -> None:
        """One step with α and λ of each trial, (G,). `touched` names the rows of large tensors that have a gradient.

        A row that repeats among them moves once.
        """
        for name, parameter in self.parameters.items():
            state = [self.states[name]] if name in self.states else []
            rows = touched.get(name, self.all_rows[name])
            tensors = (rows, parameter, gradients.slopes[name], gradients.uses[name], rates, l2, *state)
            (self.step_by_tensors if parameter.is_cuda else self.step_on)(*tensors)

    def step_on(self, *tensors: Tensor) -> None:
        """Moves some rows of a parameter, on the CPU: rows, parameter, gradient, uses, rates, l2 and the state."""
        type(self).kernel(*(tensor.numpy() for tensor in tensors))

    def step_by_tensors(
        self,
        rows: Tensor,
        parameter: Tensor,
        gradient: Tensor,
        uses: Tensor,
        rates: Tensor,
        l2: Tensor,
        *state: Tensor,
    ) -> None:
        """The same by tensor operations, for a GPU.

        Rows are taken out, moved, and put back: a row that repeats is moved alike each time, and once in effect.
        """
        moved = [tensor.index_select(0, rows) for tensor in (parameter, *state)]
        slope = gradient.index_select(0, rows).addcmul_(moved[0], uses.index_select(0, rows) * l2[:, None])
        self.move(rates[:, None], slope, *moved)
        for tensor, part in zip((parameter, *state), moved, strict=True):
            tensor.index_copy_(0, rows, part)
        gradient.index_fill_(0, rows, 0)
        uses.index_fill_(0, rows, 0)

    @abstractmethod
    def fresh(self) -> dict[str, Tensor]:
        """The states before the first step."""

    @abstractmethod
    def move(self, rates: Tensor, gradient: Tensor, parameter: Tensor, *state: Tensor) -> None:
        """Moves a parameter against its gradient, in place."""


class Sgd(Optimizer):
    """θ ← θ − α g (Algorithm 1, line 9; g is the gradient of the negated criterion)."""

    kernel = staticmethod(kernels.sgd)

    def fresh(self) -> dict[str, Tensor]:
        return {}

    def move(self, rates: Tensor, gradient: Tensor, parameter: Tensor) -> None:
        parameter.addcmul_(gradient, rates, value=-1)


class Adagrad(Optimizer):
    """θ ← θ − α g / √(Σ g²), for each number by itself (Duchi, Hazan, Singer 2011)."""

    kernel = staticmethod(kernels.adagrad)

    def fresh(self) -> dict[str, Tensor]:
        # Not zero, so that what never had a gradient stays where it is.
        return {name: torch.full_like(parameter, 1e-10) for name, parameter in self.parameters.items()}

    def move(self, rates: Tensor, gradient: Tensor, parameter: Tensor, sums: Tensor) -> None:
        sums.addcmul_(gradient, gradient)
        parameter.addcdiv_(gradient * rates, sums.sqrt(), value=-1)


OPTIMIZERS: Mapping[str, type[Optimizer]] = {"sgd": Sgd, "adagrad": Adagrad}
