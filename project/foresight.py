"""A look ahead, by the posts of an earlier crawl: do recipe, split and grids suit them?"""

from collections.abc import Iterator
from itertools import product

import numpy as np

from pipeline.data.schema import PHOTO, POST, TAGS
from pipeline.errors import ArtifactError, InputError, SettingError
from pipeline.files.parquet import read_parquet
from pipeline.folksonomy.refine import refine
from pipeline.folksonomy.split import split, validation_posts
from pipeline.models.registry import MODELS
from pipeline.models.settings import BaseModelConfig
from project.explain import section
from project.params import Params


def misfits(params: Params) -> Iterator[str]:
    """Yields sentences on choices that do not suit the posts that were crawled last; none where there are none.

    The data may have changed since, so that these are no errors.
    """
    if not params.paths.posts.exists():
        return
    try:
        photos, tags = sizes_to_fit(params)
    except ArtifactError:  # The crawl will make them anew, for they are damaged, or of another version.
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


def sizes_to_fit(params: Params) -> tuple[int, int]:
    """Counts the photos and tags that settings are chosen with: those of the training posts not left out for that.

    Raises InputError where recipe or split leave nothing.
    """
    posts = read_parquet(params.paths.posts)
    assignments, _ = refine(posts, params.active_recipe.refine, np.random.default_rng(params.seed))
    rng, rule = np.random.default_rng(params.seed), params.active_recipe.split
    train, _ = split(assignments, posts, rule, rng)
    with section("tuning"):
        validation = validation_posts(train, posts, rule, params.tuning.folds, rng)
    if validation.is_empty():
        raise InputError(
            "No post is left for validation, on which settings are chosen and probabilities are found: keep users with "
            "more posts."
        )
    learnt = train.join(validation, on=POST, how="anti")
    return learnt[PHOTO].n_unique(), learnt[TAGS].explode().n_unique()


def check_grid_size(config: BaseModelConfig, photos: int, tags: int) -> None:
    """Raises SettingError for a model that cannot be fitted to so many photos and tags with all settings to try."""
    grid = config.grid or {}
    combinations = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    failures = []
    for values in combinations:
        try:
            MODELS[config.kind].check_size(config.with_settings(values), photos, tags)
        except SettingError as error:
            failures.append(error)
    if failures and len(combinations) > 1:
        raise SettingError(
            "grid", f"has {len(failures)} of {len(combinations)} combinations that cannot be fitted: {failures[0]}"
        )
    if failures:
        raise failures[0]
