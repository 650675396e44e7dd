"""Prints the table of results, the path of the report, and the command for new photos."""

import shlex
from typing import Annotated

import typer

from pipeline.data.schema import USER
from pipeline.errors import InputError
from pipeline.evaluation.metrics.measure import HEADLINE
from pipeline.evaluation.metrics.registry import METRICS
from pipeline.files import read_json, read_parquet
from pipeline.recommend.manifest import MANIFEST
from pipeline.report.summary import summary_table
from project.command import command
from project.params import Params


def main(
    params: Params,
    metric: Annotated[str, typer.Option(help=f"The metric that is shown: {', '.join(METRICS)}.")] = HEADLINE.metric,
) -> str:
    if metric not in METRICS:
        raise InputError(f"--metric is {metric!r}; it must be one of {', '.join(METRICS)}.")
    paths = params.paths
    metrics = {name: read_json(paths.metrics(name)) for name in params.all_models}
    print(f"\nSource {params.source}, recipe {params.recipe}:\n")
    print(summary_table(metrics, params.seeds, metric))
    page = paths.report / "index.html"
    if not page.is_file():
        return "\nThese are the figures that git keeps; there is no report yet: run `make repro`."
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
