"""Prints a leaderboard: models × data sets, from the metrics of checkouts and git revisions."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.errors import InputError
from pipeline.evaluation.bootstrap import BootstrapConfig
from pipeline.evaluation.metrics.measure import HEADLINE, Measure
from pipeline.files.atomic import atomic
from pipeline.report.leaderboard import as_page, as_text, leaderboard, unmeasured
from project.command import command
from project.runs import runs_of_checkout, runs_of_revision
from project.terminal import FORMATS, check_result_file, results, say

CONFIG = BootstrapConfig(resamples=2000, level=0.95)


def main(
    checkouts: Annotated[list[Path] | None, typer.Argument(help="Folders of checkouts: by default this one.")] = None,
    rev: Annotated[list[str] | None, typer.Option(help="A git revision or DVC experiment; once for each.")] = None,
    measure: Annotated[str, typer.Option(help="A metric at K, such as ndcg@10.")] = str(HEADLINE),
    format: Annotated[Literal[*FORMATS], typer.Option(help="The form of the table.")] = "table",
    output: Annotated[Path | None, typer.Option(help="The file of the table: by default standard output.")] = None,
    html: Annotated[Path | None, typer.Option(help="A file for the table as a page.")] = None,
) -> str | None:
    try:
        by = Measure.parse(measure)
    except ValueError as error:
        raise InputError(f"--measure: {error}.") from None
    if html is not None:
        check_result_file(html)
    folders = checkouts or ([] if rev else [Path()])
    runs = [
        run
        for folder in folders
        for run in runs_of_checkout(folder, by, CONFIG, f"{folder}:" if len(folders) > 1 else "")
    ]
    runs += [run for revision in rev or () for run in runs_of_revision(revision)]
    for sentence in unmeasured(runs, by):
        say(sentence)
    with results(output) as write:
        match format:
            case "table":
                write(as_text(runs, by) + "\n")
            case "csv":
                write(leaderboard(runs, by).write_csv())
            case "json":
                write(leaderboard(runs, by).write_json() + "\n")
    if html is None:
        return None
    with atomic(html) as temporary:
        temporary.write_text(as_page(runs, by), encoding="utf-8")
    return f"The page: {html.resolve()}" if output or format == "table" else None


app = command(main, stage=False)
