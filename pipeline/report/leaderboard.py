"""A leaderboard: models × runs, each on data of its own, by one measure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import polars as pl

from pipeline.evaluation.bootstrap import Bootstrap
from pipeline.evaluation.metrics.measure import Measure
from pipeline.report.looks import COLOURS
from pipeline.report.tables import legend, mark, measure_table
from pipeline.words import listed


@dataclass(frozen=True)
class Run:
    """One run of the pipeline: models measured on the same test posts."""

    name: str
    """Its name in the table."""
    metrics: Mapping[str, Mapping[str, Any]]
    """The metrics of each model, see `metrics_over_seeds`."""
    labels: Sequence[str] = ()
    """Words on the data, such as simulated."""
    bootstrap: Bootstrap | None = None
    """The intervals of the measure's metric, where the suggestions for test posts are known."""


def leaderboard(runs: Sequence[Run], measure: Measure) -> pl.DataFrame:
    """Lists a measure of all models in all runs: run, and the columns of `measure_table`.

    Models are ordered by their mean over the runs, best first, and each has its runs in order.
    """
    columns = ("run", *measure_table({}, measure, None).columns)
    tables = [
        measure_table(metrics, measure, bootstrap).with_columns(run=pl.lit(name), place=pl.lit(number))
        for number, (name, metrics, bootstrap) in enumerate(
            [("", {}, None), *((run.name, run.metrics, run.bootstrap) for run in runs)]
        )
    ]
    table = pl.concat(tables).with_columns(mean=pl.col("value").mean().over("model"))
    return table.sort("mean", "model", "place", descending=[True, False, False]).select(columns)


def unmeasured(runs: Sequence[Run], measure: Measure) -> list[str]:
    """Lists the models without the measure, which a leaderboard leaves out, by run."""
    lacking = [(run, [name for name, found in run.metrics.items() if str(measure) not in found]) for run in runs]
    return [f"{run.name} has no {measure.label} for {listed(names)}." for run, names in lacking if names]


def cells(table: pl.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
    """Arranges a leaderboard's rows by model and run."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in table.iter_rows(named=True):
        found.setdefault(row["model"], {})[row["run"]] = row
    return found


def in_words(row: Mapping[str, Any]) -> str:
    """Writes a value with its deviation over seeds and its interval, where they are known, and its mark."""
    deviation = "" if row["deviation"] is None else f" ± {row['deviation']:.4f}"
    interval = "" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]"
    return f"{row['value']:.4f}{deviation}{interval}{mark(row)}"


def heading(run: Run) -> str:
    """Names a run, with the words on its data, and on too few test posts."""
    words = [*run.labels, *(["too few test posts"] if run.bootstrap is not None and run.bootstrap.too_few else [])]
    return f"{run.name} ({', '.join(words)})" if words else run.name


def as_text(runs: Sequence[Run], measure: Measure) -> str:
    """Writes a leaderboard as plain text: a line for each model, and the marks of each run."""
    table = leaderboard(runs, measure)
    found = cells(table)
    columns = [["model", *found]]
    for run in runs:
        rows = [own.get(run.name) for own in found.values()]
        columns.append([heading(run), *(in_words(row) if row else "" for row in rows)])
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in zip(*columns, strict=True)
    ]
    return "\n".join([*lines, f"{measure.label}; {legend(table)}"])


def as_page(runs: Sequence[Run], measure: Measure) -> str:
    """Writes a leaderboard as one HTML page that needs no other file."""
    from pipeline.report.templates import page_environment  # Imports jinja2, which plain text does not need.

    table = leaderboard(runs, measure)
    return (
        page_environment()
        .get_template("leaderboard.html.j2")
        .render(
            runs=runs,
            measure=measure,
            models=cells(table),
            colours=COLOURS,
            heading=heading,
            in_words=in_words,
            legend=legend(table),
            style=files("pipeline.report").joinpath("report.css").read_text(encoding="utf-8"),
        )
    )
