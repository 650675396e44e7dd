"""Prints the table of results, the path of the report, and the command for new photos."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
import typer

from pipeline.data.schema import POST, USER, K
from pipeline.errors import InputError
from pipeline.evaluation.metrics.measure import HEADLINE, Measure
from pipeline.evaluation.metrics.registry import METRICS
from pipeline.files.parquet import read_parquet
from pipeline.files.texts import read_json_of
from pipeline.recommend.calibration import Calibrated
from pipeline.recommend.config import BEST
from pipeline.recommend.manifest import MANIFEST
from pipeline.report.inputs import METRICS_OF_MODEL
from pipeline.report.summary import choice_of_bundle, results_table, summary_table
from project.command import command
from project.dvc_hashes import check_hashes
from project.params import Params
from project.runs import bootstrap_of
from project.terminal import FORMATS, results


def main(
    params: Params,
    metric: Annotated[str, typer.Option(help=f"The metric that is shown: {', '.join(METRICS)}.")] = HEADLINE.metric,
    format: Annotated[Literal[*FORMATS], typer.Option(help="The form of the table.")] = "table",
    output: Annotated[Path | None, typer.Option(help="The file of the table: by default standard output.")] = None,
) -> str | None:
    if metric not in METRICS:
        raise InputError(f"--metric is {metric!r}; it must be one of {', '.join(METRICS)}.")
    paths = params.paths
    check_hashes([paths.metrics(name) for name in params.all_models])
    metrics = {name: read_json_of(METRICS_OF_MODEL, paths.metrics(name)) for name in params.all_models}
    bootstrap = bootstrap_of(Path(), paths, [*metrics], metric, params.report, params.report.seed)
    table = results_table(metrics, metric, bootstrap)
    with results(output) as write:
        match format:
            case "table":
                write(f"\nSource {params.source}, recipe {params.recipe}:\n\n{summary_table(table, metric)}\n")
            case "csv":
                write(table.write_csv())
            case "json":
                write(table.write_json() + "\n")
    if format != "table":
        return None
    page = paths.report / "index.html"
    if not page.is_file():
        return "\nThese are the metrics that git keeps; there is no report yet: run `make repro`."
    best = table.filter(pl.col("best") & (pl.col(K) == HEADLINE.k))["model"].to_list()
    return "\n".join([f"\nThe report: {page.resolve()}", *invitation(params, best)])


def invitation(params: Params, best: Sequence[str]) -> Iterator[str]:
    """Yields lines on new photos where there is a bundle: its model if not the best, and the command."""
    paths = params.paths
    if not (paths.bundle / MANIFEST).is_file():
        return
    calibrated = Calibrated.read(paths.calibration) if paths.calibration.exists() else None
    if calibrated is not None and calibrated.model not in best:
        posts, measure = len(read_parquet(paths.validation, POST)), Measure.parse(params.tuning.measure)
        yield choice_of_bundle(calibrated.model, params.bundle.model == BEST, posts, measure)
    users = params.bundle.users == "all"
    user = f" --user {shlex.quote(read_parquet(paths.train, [USER])[USER].min())}" if users else ""
    if calibrated is None or params.feature_set(params.any_model(calibrated.model).features):
        yield f"For new photos: tagrec suggest PHOTO{user}"
    elif users:
        yield f"The bundle's model sees no photo: tagrec suggest PHOTO{user}"


app = command(main, stage=False)
