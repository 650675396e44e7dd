"""The look of each model, the same in every figure and table, distinct even without colour.

Colour and marker show the feature set, by its place in the list of sets; the line shows the kind, by its first place in
the list of models. Baselines are grey and dotted.
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
        "baseline": "#565c64",
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
        "baseline": "#c6cad0",
        "text": "#e6e8eb",
        "grid": "#3a3f47",
    },
}
"""The colours of each scheme: at least 3 to 1 against the page, and distinct in common colour blindness."""

SETS = tuple(colour for colour in COLOURS["light"] if colour.startswith("set-"))
MARKERS = ("o", "s", "^", "D", "v", "p", "h")
"""The markers of feature sets, in their order: one fewer than colours, so that the first 56 pairs differ."""

SPARE_MARKERS = ("x", "+", "*", "<", ">")
"""The markers of baselines, and of a second model of the same kind and feature set."""

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

DASHES = ("", "5 2", "8 2 2 2", "2 2")
"""The dashes of the kinds of trained models, in their order; markers are filled and hollow in turn."""

DOTS = "1.5 2"
"""The dashes of baselines."""


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
    kinds = list(dict.fromkeys(model.kind for model in models if not model.baseline))
    spare = cycle(SPARE_MARKERS)
    seen: set[tuple[str, str]] = set()
    found = {}
    for model in models:
        if model.baseline:
            found[model.name] = Look("baseline", next(spare), DOTS, filled=True)
            continue
        first = (model.kind, model.features) not in seen
        seen.add((model.kind, model.features))
        number, kind = place[model.features], kinds.index(model.kind)
        found[model.name] = Look(
            SETS[number % len(SETS)],
            MARKERS[number % len(MARKERS)] if first else next(spare),
            DASHES[kind % len(DASHES)],
            filled=kind % 2 == 0,
        )
    return found
