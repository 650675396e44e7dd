"""Steps along gradients that were summed up in place."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.training.config import TrainingConfig


class Optimizer(ABC):
    """Applies the summed gradients of a batch to parameters, and sets them back to zero."""

    def __init__(self, config: TrainingConfig, parameters: Mapping[str, Tensor]):
        self.rate, self.parameters = config.learning_rate, parameters

    def step(self, gradients: Mapping[str, Tensor], touched: Mapping[str, Tensor]) -> None:
        """One step. `touched` names the rows of large tensors that have a gradient (they may repeat).

        Rows are taken out, moved, and put back: a row that repeats is moved alike each time, and once in effect.
        """
        for name, gradient in gradients.items():
            tensors = self.tensors(name)
            if name not in touched:
                self.move(gradient, *tensors)
                gradient.zero_()
                continue
            rows = touched[name]
            moved = [tensor.index_select(0, rows) for tensor in tensors]
            self.move(gradient.index_select(0, rows), *moved)
            for tensor, part in zip(tensors, moved, strict=True):
                tensor.index_copy_(0, rows, part)
            gradient.index_fill_(0, rows, 0)

    @abstractmethod
    def tensors(self, name: str) -> tuple[Tensor, ...]:
        """The parameter, and what is remembered of its gradients; all of one shape."""

    @abstractmethod
    def move(self, gradient: Tensor, parameter: Tensor, *state: Tensor) -> None:
        """Moves a parameter against its gradient, in place."""


class Sgd(Optimizer):
    """θ ← θ − α g (Algorithm 1, line 9; g is the gradient of the negated criterion)."""

    def tensors(self, name: str) -> tuple[Tensor, ...]:
        return (self.parameters[name],)

    def move(self, gradient: Tensor, parameter: Tensor) -> None:
        parameter.add_(gradient, alpha=-self.rate)


class Adagrad(Optimizer):
    """θ ← θ − α g / √(Σ g²), for each number by itself (Duchi, Hazan, Singer 2011)."""

    def __init__(self, config: TrainingConfig, parameters: Mapping[str, Tensor]):
        super().__init__(config, parameters)
        # Not zero, so that what never had a gradient stays where it is.
        self.sums = {name: torch.full_like(parameter, 1e-10) for name, parameter in parameters.items()}

    def tensors(self, name: str) -> tuple[Tensor, ...]:
        return self.parameters[name], self.sums[name]

    def move(self, gradient: Tensor, parameter: Tensor, sums: Tensor) -> None:
        sums.addcmul_(gradient, gradient)
        parameter.addcdiv_(gradient, sums.sqrt(), value=-self.rate)


OPTIMIZERS: Mapping[str, type[Optimizer]] = {"sgd": Sgd, "adagrad": Adagrad}
