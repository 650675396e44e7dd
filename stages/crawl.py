"""Gets posts and photos from the source."""

import sys
from functools import partial
from typing import Annotated

import polars as pl
import typer

from pipeline.data.left_out import count_reasons
from pipeline.data.schema import DETAIL, PHOTO, REASON, USER
from pipeline.errors import InputError
from pipeline.files.parquet import write_parquet
from pipeline.sources.base import CrawlTask
from pipeline.sources.ray import prepare_on_ray
from pipeline.words import counted
from project.command import command
from project.explain import section
from project.options import Engine, EngineOptions
from project.params import Params
from project.paths import WORK

EXAMPLES = 3
"""Examples of what was left out for a reason, at most."""

Status = Annotated[bool, typer.Option("--status", help="Only show the journal of the crawl, also while it runs.")]
Retry = Annotated[list[str] | None, typer.Option("--retry", help="A final status to ask for once more; repeatable.")]


def main(params: Params, options: EngineOptions, status: Status = False, retry: Retry = None) -> str:
    paths, source, work = params.paths, params.active_source, WORK / params.source
    if (status or retry) and not source.keeps_journal:
        raise InputError(f"Source {params.source} keeps no journal: leave out --status and --retry.")
    if status:
        print(source.status(work))
        raise typer.Exit
    preparing = None
    if options.engine is Engine.RAY and source.reads_files:
        preparing = partial(prepare_on_ray, address=options.address)
    elif options.engine is Engine.RAY:
        print(f"The photos of source {params.source} are prepared on this machine.", file=sys.stderr)
    with section(f"sources.{params.source}"):
        crawled = source.collect(CrawlTask(paths.data, paths.photos, work, preparing, tuple(retry or ())))
    write_parquet(crawled.posts, paths.posts)
    write_parquet(crawled.left_out, paths.left_out)
    show_examples(crawled.left_out)
    reasons = count_reasons(crawled.left_out)
    why = ", ".join(f"{reason}: {number:,}" for reason, number in sorted(reasons.items()))
    why = f", {sum(reasons.values()):,} left out ({why})" if why else ""
    posts, users = counted(len(crawled.posts), "posts"), counted(crawled.posts[USER].n_unique(), "users")
    return f"crawl {params.source}: {posts} of {users}{why}"


def show_examples(left_out: pl.DataFrame) -> None:
    """Shows some examples of each reason, where the source gives details: these, or else the photo."""
    if DETAIL in left_out:
        detail = pl.when(pl.col(DETAIL) == "").then(PHOTO).otherwise(DETAIL).alias(DETAIL)
        for (reason,), rows in left_out.with_columns(detail).group_by(REASON, maintain_order=True):
            more = ", …" if len(rows) > EXAMPLES else ""
            print(f"{reason}: {', '.join(rows[DETAIL].drop_nulls().head(EXAMPLES))}{more}", file=sys.stderr)


app = command(main)

if __name__ == "__main__":
    app()
