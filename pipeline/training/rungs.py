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

    eliminate: η; 1 for a single rung. least: the epochs below which a measure says too little; rungs with fewer are
    skipped. The last rung has all epochs and, where none is skipped, about one combination.
    """
    steps = 0 if eliminate == 1 else round(math.log(combinations, eliminate))
    found = []
    for step in range(steps, -1, -1):
        if step == 0 or epochs // eliminate**step >= least:
            found.append(Rung(combinations, epochs // eliminate**step))
            combinations = math.ceil(combinations / eliminate)
    return found
