"""Tables of measures that mark the best models, and those that are not clearly worse."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from pipeline.data.schema import K
from pipeline.evaluation.bootstrap import TOLERANCE, Bootstrap
from pipeline.evaluation.curves import DEVIATION
from pipeline.evaluation.metrics.measure import Measure

SHOWN_K = (1, 5, 10)
"""The numbers of suggestions for which tables show metrics."""

NUMERIC_COLUMNS = ("value", "deviation", "low", "high")


def tabulate(models: Sequence[str], bootstrap: Bootstrap) -> dict[str, dict[int, dict[str, Any]]]:
    """Tabulates one metric with its interval, by model and K.

    `best`: no model has a higher value at that K; `near`: not clearly worse than the best; `near_after_holm`: not
    clearly worse after Holm's correction. With too few posts, all are False.
    """
    table: dict[str, dict[int, dict[str, Any]]] = {model: {} for model in models}
    for row in bootstrap.intervals.iter_rows(named=True):
        table[row["model"]][row[K]] = row
    for k in bootstrap.intervals[K].unique():
        at_k = {model: table[model][k] for model in models}
        first = max(models, key=lambda model: at_k[model]["value"])
        for row in at_k.values():
            best = not bootstrap.too_few and row["value"] >= at_k[first]["value"] - TOLERANCE
            row |= {"best": best, "near": False, "near_after_holm": False}
        from_best = bootstrap.differences.filter((pl.col("model") == first) & (pl.col(K) == k))
        for other, significant, after_holm in from_best.select("other", "significant", "after_holm").iter_rows():
            at_k[other] |= {"near": significant is False, "near_after_holm": after_holm is False}
    return table


def measure_table(
    metrics: Mapping[str, Mapping[str, Any]], measure: Measure, bootstrap: Bootstrap | None
) -> pl.DataFrame:
    """Tabulates a measure: model, value, deviation, low, high, best, near; a model without it has no row.

    metrics: those of each model, see `metrics_over_seeds`; bootstrap: of the measure's metric, where it is known.
    deviation: over seeds; low, high: the interval; best: no model has a higher value; near: not clearly worse than the
    best after Holm's correction. Values that are unknown, or unreliable with too few posts, are null.
    """
    name = str(measure)
    values = {model: found[name] for model, found in metrics.items() if name in found}
    too_few = bootstrap is not None and bootstrap.too_few
    table = {} if bootstrap is None or too_few else tabulate([*metrics], bootstrap)
    rows = []
    for model, value in values.items():
        row = table[model][measure.k] if table else {}
        best = None if too_few else value == max(values.values())
        ends = (row.get("low"), row.get("high"))
        rows.append((model, value, metrics[model].get(name + DEVIATION), *ends, best, row.get("near_after_holm")))
    numbers, marks = dict.fromkeys(NUMERIC_COLUMNS, pl.Float64), dict.fromkeys(("best", "near"), pl.Boolean)
    return pl.DataFrame(rows, schema={"model": pl.String} | numbers | marks, orient="row")


def mark(row: Mapping[str, Any]) -> str:
    """Returns the mark of a row: * for the best, ~ for one that is not clearly worse."""
    return "*" if row["best"] else "~" if row["near"] else ""


def legend(table: pl.DataFrame) -> str:
    """Explains the marks in a table."""
    near = "; ~ not clearly worse than the best, by Holm's correction" if table["near"].any() else ""
    return f"* best{near}" if table["best"].any() else "too few test posts to call a model the best"
