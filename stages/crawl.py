"""Gets posts and photos from the source."""

import os
import sys
from functools import partial
from typing import Annotated

import typer
from pydantic import SecretStr

from pipeline.errors import InputError
from pipeline.files import write_parquet
from pipeline.sources import table
from pipeline.sources.ray import prepare_on_ray
from pipeline.sources.sample import sample
from project.command import command
from project.options import Engine, EngineOptions
from project.params import Params
from project.paths import WORK

Status = Annotated[bool, typer.Option("--status", help="Only show the journal of the crawl, also while it runs.")]
Retry = Annotated[list[str] | None, typer.Option("--retry", help="A final status to ask for once more; repeatable.")]


def main(params: Params, options: EngineOptions, status: Status = False, retry: Retry = None) -> str:
    paths, work = params.paths, WORK / "crawl"
    if params.source != "nus-wide" and (status or retry):
        raise InputError(f"Source {params.source} keeps no journal: --status and --retry are for nus-wide.")
    if options.engine is Engine.RAY and params.source != "table":
        print(
            f"The photos of source {params.source} are prepared on this machine: Ray is for a table's.", file=sys.stderr
        )
    match params.source:
        case "sample":
            posts, left_out = sample.collect(params.sources.sample, paths.photos, work)
        case "table":
            preparing = partial(prepare_on_ray, address=options.address) if options.engine is Engine.RAY else None
            posts, left_out = table.collect(params.sources.table, paths.data, paths.photos, work, preparing=preparing)
        case "nus-wide":
            from pipeline.sources.nus_wide import collect as nus_wide  # The HTTP client takes long to import.

            config, work = params.sources.nus_wide, WORK / "nus-wide"
            if status:
                print(nus_wide.status_lines(config, work))
                raise typer.Exit
            key = os.environ.get("FLICKR_API_KEY")
            posts, left_out = nus_wide.collect(
                config, paths.data, paths.photos, work, SecretStr(key) if key else None, retry or ()
            )
    write_parquet(posts, paths.posts)
    write_parquet(left_out, paths.left_out)
    reasons = left_out["reason"].value_counts(sort=True).sort("reason").iter_rows()
    why = (
        f", {len(left_out):,} left out ({', '.join(f'{reason}: {n:,}' for reason, n in reasons)})"
        if len(left_out)
        else ""
    )
    return f"crawl {params.source}: {len(posts):,} posts of {posts['user'].n_unique():,} users{why}"


app = command(main)

if __name__ == "__main__":
    app()
