"""The look of each model, the same in every figure and table, distinct even without colour.

Each model has its own marker, filled or hollow. Colour and marker show the feature set, by its place in the list of
sets; the line shows the variant, by its first place in the list of models. Baselines are grey, each with its own shade
and dashes; they, and further models of a feature set, have spare markers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle

from pipeline.report.inputs import ModelInfo

COLOURS = {
    "light": {
        "set-1": "#2f58e0",
        "set-2": "#6e4300",
        "set-3": "#22a05a",
        "set-4": "#d8479f",
        "set-5": "#261a66",
        "set-6": "#4d1300",
        "set-7": "#987ee6",
        "set-8": "#2d12b2",
        "baseline-1": "#343a40",
        "baseline-2": "#70767c",
        "text": "#1d2127",
        "grid": "#dfe2e6",
    },
    "dark": {
        "set-1": "#75a8ec",
        "set-2": "#f89702",
        "set-3": "#45eb9b",
        "set-4": "#ef3a82",
        "set-5": "#8c19ff",
        "set-6": "#99540f",
        "set-7": "#dfff40",
        "set-8": "#4d86bf",
        "baseline-1": "#d4dae0",
        "baseline-2": "#9ca2a8",
        "text": "#e6e8eb",
        "grid": "#3a3f47",
    },
}
"""The colours of each scheme: at least 3 to 1 against the page, and distinct in common colour blindness."""

SETS = tuple(colour for colour in COLOURS["light"] if colour.startswith("set-"))
GREYS = tuple(colour for colour in COLOURS["light"] if colour.startswith("baseline-"))
MARKERS = ("o", "s", "^", "D", "v", "p", "h")
"""The markers of feature sets, in their order: one fewer than colours, so that the first 56 pairs differ."""

OPEN_MARKERS, CLOSED_MARKERS = ("x", "+", "1", "2"), ("*", "<", ">", "P", "X", "d")
"""Markers of lines alone, and of areas that can be hollow."""
SPARE_MARKERS = (
    *((marker, True) for marker in (*CLOSED_MARKERS, *OPEN_MARKERS)),
    *((marker, False) for marker in CLOSED_MARKERS),
)
"""The markers, and whether they are filled, of baselines and of further models of a feature set."""

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
    "P": "M-1.5-4H1.5V-1.5H4V1.5H1.5V4H-1.5V1.5H-4V-1.5H-1.5z",
    "X": "M-2-4L0-2L2-4L4-2L2 0L4 2L2 4L0 2L-2 4L-4 2L-2 0L-4-2z",
    "d": "M0-4.6L2.6 0L0 4.6L-2.6 0z",
    "1": "M0 0V4.4M0 0L-3.6-2.6M0 0L3.6-2.6",
    "2": "M0 0V-4.4M0 0L-3.6 2.6M0 0L3.6 2.6",
    "h": "M0-4L3.5-2V2L0 4L-3.5 2V-2z",
}
"""The same markers as SVG path data around the origin, for the page's own swatches."""

DASHES = ("", "5 2", "8 2 2 2", "2 2")
"""The dashes of the variants of trained models, in their order; markers are filled and hollow in turn."""

BASELINE_DASHES = ("1.5 2", "5 2.5", "8 2 1.5 2", "1.5 4.5", "11 3")
"""The dashes of baselines, in their order: with two greys in turn, ten lines differ."""


@dataclass(frozen=True)
class Look:
    """The line and the marker that stand for a model."""

    colour: str
    """A key of COLOURS in either scheme."""

    marker: str
    """The letter that matplotlib has for it."""

    dash: str
    """Lengths of ink and gap, empty for a solid line."""

    filled: bool
    """True when the marker is filled."""


def looks(models: Sequence[ModelInfo], feature_sets: Iterable[str]) -> dict[str, Look]:
    """Chooses the look of each model, by its name, from the order of models and feature sets alone."""
    place = {features: number for number, features in enumerate(feature_sets)}
    variants = list(dict.fromkeys(model.variant for model in models if not model.baseline))
    spare, lines = cycle(SPARE_MARKERS), zip(cycle(GREYS), cycle(BASELINE_DASHES))
    taken: set[tuple[int, bool]] = set()
    found = {}
    for model in models:
        if model.baseline:
            (colour, dash), (marker, filled) = next(lines), next(spare)
        else:
            number, variant = place[model.features], variants.index(model.variant)
            colour, dash = SETS[number % len(SETS)], DASHES[variant % len(DASHES)]
            marker, filled = MARKERS[number % len(MARKERS)], variant % 2 == 0
            if (number, filled) in taken:
                marker, filled = next(spare)
            else:
                taken.add((number, filled))
        found[model.name] = Look(colour, marker, dash, filled)
    return found
