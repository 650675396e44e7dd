"""Leaves out test posts and new users, chooses posts for validation, and counts Table 2."""

import time

import numpy as np
import polars as pl

from pipeline.data.schema import POST, TAG, TAGS, USER
from pipeline.errors import InputError
from pipeline.files.parquet import columns_of, read_parquet, write_parquet
from pipeline.files.texts import write_json
from pipeline.folksonomy.split import count_future, count_ties, leave_out_users, split, validation_posts
from pipeline.folksonomy.stats import compare_with_paper, table_2
from pipeline.words import counted
from project.command import command
from project.explain import section
from project.params import Params


def main(params: Params) -> str:
    paths = params.paths
    assignments = read_parquet(paths.assignments, [*POST, TAG])
    posts = read_parquet(paths.posts, [name for name in columns_of(paths.posts) if name != TAGS])
    if assignments[TAG].n_unique() == 1:
        raise InputError(f"All posts of the recipe have one and the same tag, {assignments[TAG][0]!r}.")
    rng, rule = np.random.default_rng(params.seed), params.active_recipe.split
    rest, test = split(assignments, posts, rule, rng)
    with section(f"recipes.{params.recipe}.split"):
        train, new = leave_out_users(rest, test, rule, rng)
    with section("tuning"):
        validation = validation_posts(train, test, posts, rule, params.tuning.folds, rng)
    write_parquet(train, paths.train)
    write_parquet(new, paths.new_users)
    write_parquet(validation, paths.validation)
    write_parquet(test, paths.test)
    counts = table_2(train, test, new)
    paper = params.active_source.published.get(params.recipe)
    write_json(counts | (compare_with_paper(counts, paper) if paper else {}), paths.stats)
    chosen = f"{len(validation):,} of them for validation{of_others(validation, test)}"
    strangers = len(test.join(rest, on=USER, how="anti"))
    unknown = f", {strangers:,} of them by users without training posts" if strangers else ""
    ties = count_ties(rest, test) if rule.by_time else 0
    tied = f"; {ties:,} of them as new as a training post of the same user, chosen by the photo's name" if ties else ""
    left_out = f"{counted(len(test), 'test posts')}{unknown}{tied}"
    ahead = sum(count_future(half, time.time_ns() // 1_000_000) for half in (rest, test))
    future = f"; {counted(ahead, 'posts')} with a time in the future" if ahead else ""
    return f"split: {counted(len(train), 'training posts')}, {chosen}, {left_out}{future}{of_new_users(new)}"


def of_new_users(new: pl.DataFrame) -> str:
    """Counts the new users and their posts that are not test posts; nothing where there are none."""
    if new.is_empty():
        return ""
    users = counted(new[USER].n_unique(), "users")
    return f"; {users} with {counted(len(new), 'further posts')} left out of training, to be folded in"


def of_others(validation: pl.DataFrame, test: pl.DataFrame) -> str:
    """Adds that the validation posts are by other users than the test posts, if they are."""
    if validation.is_empty() or not validation.join(test, on=USER, how="semi").is_empty():
        return ""
    return " (one of each user, as no user with test posts has any to spare)"


app = command(main)

if __name__ == "__main__":
    app()
