"""The choice of settings (Section 5.2): the outcome of the grids in rows and sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.evaluation.significance import FEWEST_POSTS
from pipeline.report.inputs import ModelInfo, ReportInputs
from pipeline.words import counted

OUTCOME = {"epoch", "epochs", "stopped", "chosen"}
"""The columns of a grid's table, apart from the measure, that are not settings."""


@dataclass(frozen=True)
class Choice:
    """The settings of a model that was measured on validation posts."""

    model: ModelInfo
    values: dict[str, str]
    """The value of each setting that was tried, in words."""

    epochs: tuple[int, int] | None
    """The epoch that did best, and the number allowed; None where nothing is trained."""

    score: float
    """The measure on validation posts."""

    tried: int
    """The number of combinations."""

    outcomes: tuple[float, ...]
    """The measure of each combination that has one."""

    edges: tuple[str, ...]
    """The settings whose number is the least or the greatest of those tried, where the next might do better."""


def build_choices(inputs: ReportInputs) -> list[Choice]:
    """Builds a row for each model that was measured on validation posts."""
    measure = str(inputs.measure)
    return [
        build_choice(model, inputs.tuning[model.name], inputs.settings[model.name], measure)
        if model.name in inputs.tuning
        else build_weights(model, inputs.settings[model.name], measure)
        for model in inputs.models
        if inputs.settings[model.name][measure] is not None
    ]


def build_choice(model: ModelInfo, grid: pl.DataFrame, settings: Mapping[str, Any], measure: str) -> Choice:
    """Builds the row of one model. The values are those of the settings: the grid's table may have rounded them."""
    chosen = settings["model"].get("training", settings["model"])
    tried = [name for name in grid.columns if name not in OUTCOME | {measure}]
    return Choice(
        model=model,
        values={name: in_words(chosen[name]) for name in tried},
        epochs=None if settings["epoch"] is None else (settings["epoch"], chosen["epochs"]),
        score=settings[measure],
        tried=grid.height,
        outcomes=tuple(grid[measure].drop_nulls()),
        edges=tuple(settings["edges"]),
    )


def build_weights(model: ModelInfo, settings: Mapping[str, Any], measure: str) -> Choice:
    """Builds the row of a blend: the weights of its models, the greatest first, and the number of its trees."""
    weights = sorted(settings["model"]["models"].items(), key=lambda part: -part[1])
    values = {name: f"{weight:.2f}" for name, weight in weights}
    if "trees" in settings["model"]:
        values["number of trees"] = str(settings["model"]["trees"])  # No model can have a name with spaces.
    return Choice(model, values, None, settings[measure], tried=1, outcomes=(settings[measure],), edges=())


def in_words(value: object) -> str:
    """Writes a value as YAML does."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {in_words(part)}' for key, part in value.items())}}}"
    return str(value)


def edges(choices: Sequence[Choice]) -> str | None:
    """Lists the chosen values at the edge of their grid; None where there are none."""
    places: dict[str, list[str]] = {}
    for choice in choices:
        for setting in choice.edges:
            places.setdefault(setting, []).append(choice.model.mention)
    if not places:
        return None
    listed = "; ".join(f"{setting} of {', '.join(labels)}" for setting, labels in places.items())
    return f"Some chosen values lie at the edge of their grid, so that a wider grid might do better: {listed}."


def shifts(choices: Sequence[Choice], intervals: pl.DataFrame) -> str | None:
    """Lists the models whose validation and test values differ by more than their intervals; None without any.

    intervals: model, value, low, high of the measure on test posts. The interval on validation posts is taken as wide.
    """
    found = {row["model"]: row for row in intervals.iter_rows(named=True)}
    apart = []
    for choice in choices:
        row = found[choice.model.name]
        if abs(choice.score - row["value"]) > row["high"] - row["low"]:
            apart.append(f"{choice.model.mention} ({choice.score:.3f} and {row['value']:.3f})")
    if not apart:
        return None
    return f"Values on validation and on test posts differ by more than their intervals: {', '.join(apart)}."


def few_posts(validation: int) -> str | None:
    """Warns of a choice on few validation posts; None where there are enough."""
    if validation >= FEWEST_POSTS:
        return None
    return (
        f"With only {counted(validation, 'validation posts')}, the choice and the weights of blends depend on chance."
    )


def unmeasured(choices: Sequence[Choice]) -> str | None:
    """Counts the combinations without a measure; None where all have one."""
    lost = [
        f"{choice.tried - len(choice.outcomes)} of {choice.tried} combinations of {choice.model.mention}"
        for choice in choices
        if len(choice.outcomes) < choice.tried
    ]
    return f"Training diverged, or had too few posts, with {', '.join(lost)}: these have no mark." if lost else None
