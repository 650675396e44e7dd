"""Prints the table of results, the path of the report, and the command for new photos."""

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.data.schema import USER
from pipeline.errors import InputError
from pipeline.evaluation.metrics.measure import HEADLINE
from pipeline.evaluation.metrics.registry import METRICS
from pipeline.files.parquet import read_parquet
from pipeline.files.texts import read_json
from pipeline.recommend.manifest import MANIFEST
from pipeline.report.summary import results_table, summary_table
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
    metrics = {name: read_json(paths.metrics(name)) for name in params.all_models}
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
    return f"\nThe report: {page.resolve()}{invitation(params)}"


def invitation(params: Params) -> str:
    """Returns a line with the command for new photos, where there is a bundle."""
    if not (params.paths.bundle / MANIFEST).is_file():
        return ""
    user = ""
    if params.bundle.users == "all":
        user = f" --user {shlex.quote(read_parquet(params.paths.train, [USER])[USER].min())}"
    return f"\nFor new photos: tagrec suggest PHOTO{user}"


app = command(main, stage=False)
