"""Prints the table of results, and where the report is."""

from pipeline.files import read_json
from pipeline.report.summary import summary_table
from project.command import command
from project.params import Params


def main(params: Params) -> str:
    paths = params.paths
    print(f"\nSource {params.source}, recipe {params.recipe}:\n")
    print(summary_table({name: read_json(paths.metrics(name)) for name in params.models}, params.seeds))
    return f"\nThe report: {(paths.report / 'index.html').resolve()}"


app = command(main, stage=False)
