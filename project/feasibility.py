"""A check of recipe, split and grids against the posts of an earlier crawl."""

from collections.abc import Iterator

import numpy as np

from pipeline.data.schema import PHOTO, POST, TAGS
from pipeline.errors import ArtifactError, InputError, SettingError
from pipeline.files.parquet import read_parquet
from pipeline.folksonomy.refine import refine
from pipeline.folksonomy.split import leave_out_users, split, validation_posts
from pipeline.folksonomy.split_rules import GivenSplit
from pipeline.models.grid import combinations
from pipeline.models.registry import MODELS
from pipeline.models.settings import BaseModelConfig
from project.explain import section
from project.params import Params


def feasibility_warnings(params: Params) -> Iterator[str]:
    """Yields warnings of choices that do not suit the posts crawled last, if any were.

    They are not errors, because the data may have changed since.
    """
    if not params.paths.posts.exists():
        return
    try:
        photos, tags = training_size(params)
    except ArtifactError:  # They are damaged, or of another version: the crawl will replace them.
        return
    except InputError as error:
        yield str(error)
        return
    for name, config in params.models.items():
        try:
            with section(f"models.{name}"):
                check_grid_size(config, photos, tags)
        except SettingError as error:
            yield str(error)


def training_size(params: Params) -> tuple[int, int]:
    """Counts the photos and tags of the training posts that are not left out for validation.

    Raises InputError when recipe or split leave none.
    """
    posts = read_parquet(params.paths.posts)
    assignments, _ = refine(posts, params.active_recipe.refine, np.random.default_rng(params.seed))
    rng, rule = np.random.default_rng(params.seed), params.active_recipe.split
    train, test = split(assignments, posts, rule, rng)
    with section(f"recipes.{params.recipe}.split"):
        train, _ = leave_out_users(train, test, rule, rng)
    with section("tuning"):
        validation = validation_posts(train, test, posts, rule, params.tuning.folds, rng)
    if validation.is_empty():
        less = "" if isinstance(rule, GivenSplit) else f"choose a split that leaves out less than {rule}, or "
        raise InputError(
            "No post is left for validation, by which settings are chosen and probabilities are calibrated: "
            f"{less}keep users with more posts."
        )
    learnt = train.join(validation, on=POST, how="anti")
    return learnt[PHOTO].n_unique(), learnt[TAGS].explode().n_unique()


def check_grid_size(config: BaseModelConfig, photos: int, tags: int) -> None:
    """Raises SettingError for a model with settings to try that cannot be fitted to so many photos and tags."""
    tried, failures = combinations(config.grid or {}), []
    for values in tried:
        try:
            MODELS[config.kind].check_size(config.with_settings(values), photos, tags)
        except SettingError as error:
            failures.append(error)
    if failures and len(tried) > 1:
        raise SettingError(
            "grid", f"has {len(failures)} of {len(tried)} combinations that cannot be fitted: {failures[0]}"
        )
    if failures:
        raise failures[0]
