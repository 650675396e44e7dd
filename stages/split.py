"""Leaves posts out for the test, and counts Table 2."""

import numpy as np

from pipeline.files import read_parquet, write_json, write_parquet
from pipeline.folksonomy.split import split
from pipeline.folksonomy.stats import beside_the_paper, table_2
from stages.cli import command
from stages.params import Params


def main(params: Params) -> str:
    paths = params.paths
    assignments = read_parquet(paths.assignments, ["user", "photo", "tag"])
    posts = read_parquet(paths.posts).drop("tags")
    train, test = split(assignments, posts, params.active_recipe.split, np.random.default_rng(params.seed))
    write_parquet(train, paths.train)
    write_parquet(test, paths.test)
    counts = table_2(train, test)
    write_json(counts | beside_the_paper(counts, params.source, params.recipe), paths.stats)
    return f"split: {len(train):,} training posts, {len(test):,} test posts"


app = command(main)

if __name__ == "__main__":
    app()
