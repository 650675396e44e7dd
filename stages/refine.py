"""Refines the posts to the recipe's folksonomy."""

import numpy as np

from pipeline.data.schema import TAGGED_POST, TAGS
from pipeline.files.parquet import read_parquet, write_parquet
from pipeline.files.texts import write_json
from pipeline.folksonomy.refine import refine
from project.command import command
from project.params import Params


def main(params: Params) -> str:
    paths = params.paths
    posts = read_parquet(paths.posts, TAGGED_POST)
    assignments, trace = refine(posts, params.active_recipe.refine, np.random.default_rng(params.seed))
    write_parquet(assignments, paths.assignments)
    write_json(trace, paths.refinement)
    return f"refine: {len(assignments):,} tag assignments stay of {posts[TAGS].list.len().sum():,}"


app = command(main)

if __name__ == "__main__":
    app()
