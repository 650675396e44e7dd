"""Steps along gradients, compiled for the CPU.

Letters of shapes: G trials.
"""

from typing import NamedTuple

import numpy as np
from torch import Tensor

from pipeline.training.bpr.loops.compiling import as_arrays, compiled


class SummedTable(NamedTuple):
    """A parameter with the gradient that quadruples summed up for it."""

    values: Tensor
    """(rows, G, columns)."""
    gradient: Tensor
    """The sum, of the same shape."""
    occurrences: Tensor
    """The number of quadruples that used each row, the weight of its L2: (rows, G, 1) or (rows, 1, 1)."""


def bind(record: SummedTable) -> SummedTable:
    """Returns the same record for many calls, which need not turn its tensors into arrays again."""
    return as_arrays(record)


@compiled
def sgd(rows, table, rates, l2):
    """Updates rows of a `SummedTable` by SGD, and clears its sums.

    θ ← θ − α (g + λ n θ), where n: occurrences; rates and l2: α and λ of each trial, (G,).
    """
    values, gradients, occurrences = table
    for row in rows:
        for g in range(values.shape[1]):
            n = occurrences[row, g if occurrences.shape[1] > 1 else 0, 0]
            if n == 0:
                continue
            theta, gradient, rate, decay = values[row, g], gradients[row, g], rates[g], l2[g] * n
            for c in range(len(theta)):
                theta[c] -= rate * (gradient[c] + decay * theta[c])
                gradient[c] = 0
        occurrences[row] = 0


@compiled
def adagrad(rows, table, rates, l2, squares):
    """Updates rows as `sgd` does, by Adagrad.

    θ ← θ − α g / √(Σ g²), where g includes λ n θ; squares: Σ g², of the shape of the values.
    """
    values, gradients, occurrences = table
    for row in rows:
        for g in range(values.shape[1]):
            n = occurrences[row, g if occurrences.shape[1] > 1 else 0, 0]
            if n == 0:
                continue
            theta, gradient, total, rate, decay = (
                values[row, g],
                gradients[row, g],
                squares[row, g],
                rates[g],
                l2[g] * n,
            )
            for c in range(len(theta)):
                step = gradient[c] + decay * theta[c]
                total[c] += step * step
                theta[c] -= rate * step / np.sqrt(total[c])
                gradient[c] = 0
        occurrences[row] = 0
