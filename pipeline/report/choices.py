"""How settings were chosen (Section 5.2): what the grids brought, in rows and sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.report.inputs import ModelInfo, ReportInputs

MEASURE = "f1@5"
OUTCOME = {"epoch", "epochs", MEASURE, "chosen"}
"""The columns of a grid's table that are no settings."""


@dataclass(frozen=True)
class Choice:
    """What was chosen for a model that had something to choose.

    values: of each setting that was tried, in words; epochs: of how many, None where nothing is trained; score: F1@5 on
    validation posts. tried: how many combinations there were; scores: of those with which training did not diverge.
    edges: the settings whose value is the smallest or the largest number of several.
    """

    model: ModelInfo
    values: dict[str, str]
    epochs: tuple[int, int] | None
    score: float
    tried: int
    scores: tuple[float, ...]
    edges: tuple[str, ...]


def build_choices(inputs: ReportInputs) -> list[Choice]:
    """A row for each model that had something to choose."""
    return [
        build_choice(model, inputs.tuning[model.name], inputs.settings[model.name])
        for model in inputs.models
        if inputs.settings[model.name][MEASURE] is not None
    ]


def build_choice(model: ModelInfo, grid: pl.DataFrame, settings: Mapping[str, Any]) -> Choice:
    """What was chosen for one model. The values are those of the settings: the grid's table may have rounded them."""
    told = settings["model"].get("training", settings["model"])
    tried = [name for name in grid.columns if name not in OUTCOME]
    return Choice(
        model=model,
        values={name: in_words(told[name]) for name in tried},
        epochs=None if settings["epoch"] is None else (settings["epoch"], told["epochs"]),
        score=settings[MEASURE],
        tried=grid.height,
        scores=tuple(grid[MEASURE].drop_nulls()),
        edges=tuple(name for name in tried if at_edge(grid[name], grid["chosen"])),
    )


def at_edge(values: pl.Series, chosen: pl.Series) -> bool:
    """Whether the chosen one of several numbers is the smallest or the largest; never of what is no number."""
    if not values.dtype.is_numeric() or values.n_unique() == 1:
        return False
    return values.filter(chosen).item() in (values.min(), values.max())


def in_words(value: object) -> str:
    """A value as `params.yaml` would say it."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {in_words(part)}' for key, part in value.items())}}}"
    return str(value)


def edges(choices: Sequence[Choice]) -> str | None:
    """Says which chosen values lie at the edge of their grid; None of none."""
    places: dict[str, list[str]] = {}
    for choice in choices:
        for setting in choice.edges:
            places.setdefault(setting, []).append(choice.model.label)
    if not places:
        return None
    listed = "; ".join(f"{setting} of {', '.join(labels)}" for setting, labels in places.items())
    return f"Some chosen values lie at the edge of their grid, so that a wider grid might do better: {listed}."


def diverged(choices: Sequence[Choice]) -> str | None:
    """Says how often training diverged; None of never."""
    lost = [
        f"{choice.tried - len(choice.scores)} of {choice.tried} combinations of {choice.model.label}"
        for choice in choices
        if len(choice.scores) < choice.tried
    ]
    return f"Training diverged with {', '.join(lost)}: these have no mark." if lost else None
