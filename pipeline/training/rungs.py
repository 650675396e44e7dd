"""Successive halving: combinations that cannot win are not trained to the end."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """One step of the search."""

    combinations: int
    """The number of combinations that take part, the best so far."""
    epochs: int
    """The number of epochs for which each is trained, at most."""


def rungs(combinations: int, epochs: int, least: int, eliminate: int) -> list[Rung]:
    """Plans a search (Jamieson and Talwalkar, 2016): each rung has 1/η of the combinations, and η times the epochs.

    least: the epochs below which a measure says too little. About log_η of the combinations are left to the last rung,
    whose epochs are all. A rung trains anew, which costs little more than to resume, and keeps nothing in memory.
    """
    steps = 0 if eliminate == 1 else round(math.log(combinations, eliminate))
    found = []
    for step in range(steps, -1, -1):
        if step == 0 or epochs // eliminate**step >= least:
            found.append(Rung(combinations, epochs // eliminate**step))
            combinations = math.ceil(combinations / eliminate)
    return found
