"""A leaderboard: models × runs, each on data of its own, by one measure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import polars as pl

from pipeline.evaluation.curves import DEVIATION
from pipeline.evaluation.metrics.measure import Measure
from pipeline.report.looks import COLOURS


@dataclass(frozen=True)
class Run:
    """One run of the pipeline: models measured on the same test posts."""

    name: str
    """Its name in the table."""
    metrics: Mapping[str, Mapping[str, Any]]
    """The metrics of each model, see `metrics_over_seeds`."""
    labels: Sequence[str] = ()
    """Words on the data, such as simulated."""
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """The interval of each model's measure, where it is known."""


def leaderboard(runs: Sequence[Run], measure: Measure) -> pl.DataFrame:
    """Lists a measure of all models: run, model, value, deviation, low, high, best; a model without it has no row.

    Models are ordered by their mean over the runs, best first, and each has its runs in order. Deviation is that over
    seeds, low and high are the interval: null where they are unknown. Best: no other model of the run has more.
    """
    name, unknown = str(measure), (None, None)
    rows = [
        (place, run.name, model, values[name], values.get(name + DEVIATION), *run.intervals.get(model, unknown))
        for place, run in enumerate(runs)
        for model, values in run.metrics.items()
        if name in values
    ]
    numbers = ("value", "deviation", "low", "high")
    schema = {"place": pl.Int64, "run": pl.String, "model": pl.String} | dict.fromkeys(numbers, pl.Float64)
    table = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        best=pl.col("value") == pl.col("value").max().over("place"), mean=pl.col("value").mean().over("model")
    )
    return table.sort("mean", "model", "place", descending=[True, False, False]).drop("place", "mean")


def cells(table: pl.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
    """Arranges a leaderboard's rows by model and run."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in table.iter_rows(named=True):
        found.setdefault(row["model"], {})[row["run"]] = row
    return found


def in_words(row: Mapping[str, Any]) -> str:
    """Writes a figure with its deviation over seeds and its interval, where they are known."""
    deviation = "" if row["deviation"] is None else f" ± {row['deviation']:.4f}"
    interval = "" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]"
    return f"{row['value']:.4f}{deviation}{interval}"


def heading(run: Run) -> str:
    """Names a run, with the words on its data."""
    return f"{run.name} ({', '.join(run.labels)})" if run.labels else run.name


def as_text(runs: Sequence[Run], measure: Measure) -> str:
    """Writes a leaderboard as plain text: a line for each model, a star after the best of each run."""
    found = cells(leaderboard(runs, measure))
    columns = [["model", *found]]
    for run in runs:
        rows = [own.get(run.name) for own in found.values()]
        columns.append([heading(run), *(in_words(row) + "*" * row["best"] if row else "" for row in rows)])
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in zip(*columns, strict=True)
    ]
    return "\n".join([*lines, f"{measure.label}; * best of its column"])


def as_page(runs: Sequence[Run], measure: Measure) -> str:
    """Writes a leaderboard as one HTML page that needs no other file."""
    from pipeline.report.templates import page_environment  # jinja2: not for the table on the screen

    return (
        page_environment()
        .get_template("leaderboard.html.j2")
        .render(
            runs=runs,
            measure=measure,
            models=cells(leaderboard(runs, measure)),
            colours=COLOURS,
            heading=heading,
            in_words=in_words,
            style=files("pipeline.report").joinpath("report.css").read_text(encoding="utf-8"),
        )
    )
