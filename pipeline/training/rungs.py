"""Successive halving: combinations that are unlikely to win are not trained to the end."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """One step of the search."""

    combinations: int
    """The number of combinations that take part, the best so far."""
    epochs: int
    """The number of epochs after which each pauses, with those of the rungs before."""


def rungs(combinations: int, epochs: int, least: int, eliminate: int) -> list[Rung]:
    """Plans a search (Jamieson and Talwalkar, 2016): each rung has 1/η of the combinations, and η times the epochs.

    eliminate: η; 1 for a single rung. least: the epochs of the first rung, below which a measure says too little. The
    last rung has all epochs, and one combination where they are enough to get there.
    """
    found, until = [], least
    while eliminate > 1 and combinations > 1 and until < epochs:
        found.append(Rung(combinations, until))
        combinations, until = math.ceil(combinations / eliminate), until * eliminate
    return [*found, Rung(combinations, epochs)]
