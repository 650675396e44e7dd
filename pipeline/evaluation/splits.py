"""The same models under several splits: posts left out at random resemble those of the same occasion that stay."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from pipeline.data.schema import PHOTO, POST, TAG, TAGS, TIME
from pipeline.errors import InputError, SettingError
from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.ranking import rank
from pipeline.features.store import Features
from pipeline.folksonomy.split import split
from pipeline.folksonomy.split_rules import LeaveDays, LeaveNewestShare, LeaveShare, SplitRule
from pipeline.models.model import Baseline
from pipeline.models.registry import MODELS
from pipeline.models.settings import NO_FEATURES, BaseModelConfig

TEST_SHARE = 0.2
"""The share of each user's posts that is left out."""

RULES: Mapping[str, SplitRule] = {
    "at random": LeaveShare(test_share=TEST_SHARE),
    "whole days": LeaveDays(days_share=TEST_SHARE),
    "the newest": LeaveNewestShare(newest_share=TEST_SHARE),
}
"""The splits that are compared, by the posts that they leave out."""


def compare_splits(
    posts: pl.DataFrame, configs: Mapping[str, BaseModelConfig], measure: Measure, seed: int
) -> pl.DataFrame:
    """Measures models under each of RULES: model, and a column for each rule.

    posts: user, photo, tags, time, those of all halves. Only models that are fitted at once and see no photo count:
    they take seconds. Without any time, or such a model, the result has no row; a split that leaves no test post, and a
    model that does not suit the posts, has null.
    """
    fitted = {
        name: config
        for name, config in configs.items()
        if issubclass(MODELS[config.kind], Baseline) and config.features == NO_FEATURES
    }
    schema = {"model": pl.String} | dict.fromkeys(RULES, pl.Float64)
    if posts[TIME].is_null().all():
        return pl.DataFrame(schema=schema)
    assignments = posts.select(*POST, pl.col(TAGS).alias(TAG)).explode(TAG)
    features = Features(posts[PHOTO].unique().sort(), {})
    found: dict[str, dict[str, float | None]] = {name: {} for name in fitted}
    for words, rule in RULES.items():
        try:
            train, test = split(assignments, posts, rule, np.random.default_rng(seed))
        except InputError:
            continue
        for name, config in fitted.items():
            found[name][words] = _measured(config, train, test, features, measure)
    return pl.DataFrame([{"model": name} | values for name, values in found.items()], schema=schema)


def _measured(
    config: BaseModelConfig, train: pl.DataFrame, test: pl.DataFrame, features: Features, measure: Measure
) -> float | None:
    try:
        model = MODELS[config.kind].fit(config, train, features)
    except (InputError, SettingError):
        return None
    ranking = rank(model, test, features)
    return float(measure.of(ranking.hits, ranking.sizes))
