"""How each model looks, the same in every figure and table, told apart without colour too.

Colour and marker say what a model sees, the line says its kind: FM solid and filled, PITF dashed and hollow, baselines
grey and dotted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from pipeline.report.inputs import ModelInfo

COLOURS = {
    "light": {
        "none": "#2f58e0",
        "image": "#6e4300",
        "objects": "#22a05a",
        "image+objects": "#d8479f",
        "baseline": "#565c64",
        "text": "#1d2127",
        "grid": "#dfe2e6",
    },
    "dark": {
        "none": "#75a8ec",
        "image": "#f89702",
        "objects": "#45eb9b",
        "image+objects": "#ef3a82",
        "baseline": "#c6cad0",
        "text": "#e6e8eb",
        "grid": "#3a3f47",
    },
}
"""Of each scheme: at least 3 to 1 against the page, and apart for the common kinds of colour blindness."""

MARKERS = {"none": "o", "image": "s", "objects": "^", "image+objects": "D"}
SPARE_MARKERS = ("x", "+", "v", "<", ">", "p", "*", "h")
"""For baselines, and for a second model of the same kind that sees the same."""

MARKER_PATHS = {
    "o": "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
    "s": "M-3.2-3.2H3.2V3.2H-3.2z",
    "^": "M0-4L4 3.4H-4z",
    "D": "M0-4.4L4.4 0L0 4.4L-4.4 0z",
    "x": "M-3.5-3.5L3.5 3.5M-3.5 3.5L3.5-3.5",
    "+": "M-4.4 0H4.4M0-4.4V4.4",
    "v": "M0 4L4-3.4H-4z",
    "<": "M-4 0L3.4-4V4z",
    ">": "M4 0L-3.4-4V4z",
    "p": "M0-4L3.8-1.2L2.4 3.2H-2.4L-3.8-1.2z",
    "*": "M0-4.5L1.1-1.4H4.3L1.7.5L2.7 3.7L0 1.8L-2.7 3.7L-1.7.5L-4.3-1.4H-1.1z",
    "h": "M0-4L3.5-2V2L0 4L-3.5 2V-2z",
}
"""The same markers as SVG path data around the origin, for the page's own swatches."""

DASHES = {"fm": "", "pitf": "5 2"}
DOTS = "1.5 2"


@dataclass(frozen=True)
class Look:
    """colour: a key of COLOURS; marker: matplotlib's; dash: lengths of ink and gap, empty for a solid line."""

    colour: str
    marker: str
    dash: str
    filled: bool


def looks(models: Sequence[ModelInfo]) -> dict[str, Look]:
    """The look of each model by its name. Depends on the list of models only."""
    spare = cycle(SPARE_MARKERS)
    seen: set[tuple[str, str]] = set()
    found = {}
    for model in models:
        factorised = model.kind in DASHES
        first = factorised and (model.kind, model.features) not in seen
        seen.add((model.kind, model.features))
        found[model.name] = Look(
            model.features if factorised else "baseline",
            MARKERS[model.features] if first else next(spare),
            DASHES.get(model.kind, DOTS),
            filled=model.kind != "pitf",
        )
    return found
