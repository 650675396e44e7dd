"""Gets posts and photos from the source."""

from pipeline.files import write_parquet
from pipeline.sources import table
from pipeline.sources.sample import sample
from stages.cli import command
from stages.params import Params
from stages.paths import WORK


def main(params: Params) -> str:
    paths, work = params.paths, WORK / "crawl"
    match params.source:
        case "sample":
            posts, left_out = sample.collect(params.sources.sample, paths.photos, work)
        case "table":
            posts, left_out = table.collect(params.sources.table, paths.data, paths.photos, work)
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
