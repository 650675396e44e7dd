"""The results of one run as a table, and as a few lines of text for its end."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from pipeline.data.schema import K
from pipeline.errors import ArtifactError
from pipeline.evaluation.bootstrap import Bootstrap
from pipeline.evaluation.metrics.measure import HEADLINE, Measure
from pipeline.report.tables import SHOWN_K, legend, mark, measure_table
from pipeline.words import counted


def results_table(metrics: Mapping[str, Mapping[str, Any]], metric: str, bootstrap: Bootstrap | None) -> pl.DataFrame:
    """Tabulates a metric at 1, 5 and 10: k, and the columns of `measure_table`, models in the order given.

    bootstrap: of this metric, where it is known. Raises ArtifactError when a model was measured before there was such a
    metric.
    """
    tables = []
    for k in SHOWN_K:
        measure = Measure(metric, k)
        for model, found in metrics.items():
            if str(measure) not in found:
                raise ArtifactError(f"The metrics of {model} lack {measure}.")
        tables.append(measure_table(metrics, measure, bootstrap).select(pl.lit(k).alias(K), pl.all()))
    return pl.concat(tables)


def choice_of_bundle(model: str, by_validation: bool, posts: int, measure: Measure) -> str:
    """Says in a sentence which model the bundle has, and how it was chosen.

    by_validation: True when it did best on so many validation posts by the measure, False when the settings name it.
    """
    how = (
        f"chosen by {measure.label} on {counted(posts, 'validation posts')}"
        if by_validation
        else "which the settings name"
    )
    return f"Tags for new photos come from {model}, {how}."


def summary_table(table: pl.DataFrame, metric: str) -> str:
    """Writes a table of results as text: a line for each model, a column for each K.

    Of several seeds, a value is the mean, followed by the standard deviation where the model draws anything.
    """
    labels = {k: Measure(metric, k).label for k in SHOWN_K}
    spread = table["deviation"].is_not_null().any()
    names = max(len("model"), *map(len, table["model"]))
    width, gap = max(9, *(len(label) + 2 for label in labels.values())), " " * len(" ± 0.0000" if spread else "")
    lines = ["model".ljust(names) + "".join(f"{label:>{width}}{gap} " for label in labels.values())]
    for (model,), rows in table.group_by("model", maintain_order=True):
        cells = (
            f"{row['value']:{width}.4f}"
            + (gap if row["deviation"] is None else f" ± {row['deviation']:.4f}")
            + mark(row).ljust(1)
            for row in rows.iter_rows(named=True)
        )
        lines.append(model.ljust(names) + "".join(cells))
    lines.append(legend(table) + ("; mean ± deviation over seeds" if spread else ""))
    rows = table.filter(pl.col(K) == HEADLINE.k)
    near, others = rows["near"].sum(), (~rows["best"]).sum()
    if near:
        some = f"{near} of {counted(others, 'other models')} {'is' if near == 1 else 'are'} not"
        found = some if near < others else "no other model is"
        lines.append(f"By {labels[HEADLINE.k]}, {found} clearly worse than the best.")
    return "\n".join(line.rstrip() for line in lines)
