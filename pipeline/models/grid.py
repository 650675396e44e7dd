"""Grids of settings: their combinations, their edges, and the next values beyond them."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from pipeline.models.settings import BaseModelConfig

Grid = Mapping[str, Sequence[Any]]
"""Values to try of some settings."""


def combinations(grid: Grid) -> list[dict[str, Any]]:
    """Lists all combinations of a grid's values."""
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def edges(config: type[BaseModelConfig], tried: Grid, chosen: Mapping[str, Any]) -> dict[str, int | float]:
    """Finds the settings whose chosen number lies at an edge of those tried, and the next value of each.

    A number at the bound of its setting has no next value, and lies at no edge.
    """
    found = {}
    for name, values in tried.items():
        if all(map(is_number, values)) and len(set(values)) > 1:
            value = next_value(sorted(set(values)), chosen[name], *config.bounds(name))
            if value != chosen[name]:
                found[name] = value
    return found


def is_number(value: object) -> bool:
    """Recognises a number, as opposed to a choice or a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def next_value(values: Sequence[int | float], chosen: int | float, least: float, greatest: float) -> int | float:
    """Returns the value that follows the chosen one beyond the edge of ascending values, or the chosen one inside.

    It continues the last step: by the ratio of the last two values if both are positive, otherwise their difference.
    """
    if chosen == values[0]:
        last, before = values[0], values[1]
    elif chosen == values[-1]:
        last, before = values[-1], values[-2]
    else:
        return chosen
    following = last * last / before if min(last, before) > 0 else 2 * last - before
    bounded = min(max(following, least), greatest)
    return round(bounded) if all(isinstance(value, int) for value in values) else float(f"{bounded:.3g}")
