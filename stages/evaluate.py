"""Suggests tags for the test posts with one model or blend, and measures the suggestions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.data.schema import DATED_POST, TAGGED_POST, USER
from pipeline.errors import ArtifactError
from pipeline.evaluation.curves import DEVIATION, mean_curve, metrics_over_seeds
from pipeline.evaluation.metrics.measure import HEADLINE
from pipeline.evaluation.ranking import find_hits
from pipeline.evaluation.unseen import (
    COLD,
    HOT,
    WARM,
    NewTags,
    divide_by_users,
    metrics_by_users,
    recommend_after_folding_in,
)
from pipeline.features.store import read_store
from pipeline.files.parquet import read_parquet, write_parquet
from pipeline.files.texts import read_sealed_json, write_csv, write_json
from pipeline.models.registry import load
from pipeline.words import counted
from project.command import Model, command
from project.params import Params

GROUPS = {
    HOT: "users with training posts (hot)",
    WARM: "new users, folded in (warm)",
    COLD: "users unknown to the model as trained (cold)",
}
"""The groups of users in words."""


def main(params: Params, model: Model) -> str:
    paths, config = params.paths, params.any_model(model)
    posts, new = (read_parquet(path, DATED_POST) for path in (paths.test, paths.new_users))
    train, features = read_parquet(paths.train, TAGGED_POST), read_store(*paths.stored(config.features))
    repeats = [paths.repeat(model, seed) for seed in read_sealed_json(paths.repeat_seeds(model))["seeds"]]
    fitted = [load(path) for path in (paths.model(model), *repeats)]
    check_unknown(fitted[0].names.get(USER, ()), new[USER], paths.model(model))
    suggestions = [recommend_after_folding_in(one, posts, new, features) for one in fitted]
    rankings = [find_hits(posts, one) for one in suggestions]
    metrics = metrics_over_seeds(rankings) | metrics_by_users(suggestions, divide_by_users(posts, train, new))
    write_json(metrics, paths.metrics(model))
    write_csv(mean_curve(rankings), paths.curve(model))
    write_parquet(suggestions[0], paths.recommendations(model))
    spread = f" ± {metrics[f'{HEADLINE}{DEVIATION}']:.4f} ({len(fitted)} seeds)" if len(fitted) > 1 else ""
    measured = f"{HEADLINE.label} {metrics[str(HEADLINE)]:.4f}{spread} over {counted(len(posts), 'test posts')}"
    groups = by_users(metrics, knows_users=USER in fitted[0].names)
    return f"evaluate {model}: {measured}{new_tags(NewTags.of(posts, train))}{groups}"


def check_unknown(known: Sequence[str], new: pl.Series, path: Path) -> None:
    """Raises ArtifactError for a model that knows new users: it was fitted to posts of another split."""
    new = new.unique()
    if found := new.is_in(pl.Series(known, dtype=pl.String).implode()).sum():
        raise ArtifactError(
            f"{path} was fitted to posts of another split: it knows {found:,} of the {counted(len(new), 'users')} "
            "whom the present split leaves out of training."
        )


def by_users(metrics: Mapping[str, Any], knows_users: bool) -> str:
    """Writes the metrics of hot, warm and cold users; nothing where all are hot."""
    found = "".join(
        f"; {metrics[name][str(HEADLINE)]:.4f} over {counted(metrics[name]['posts'], 'posts')} of {whose}"
        for name, whose in GROUPS.items()
        if name in metrics
    )
    impersonal = WARM in metrics and not knows_users
    return found + ("; the model knows no users, so none is folded in" if impersonal else "")


def new_tags(found: NewTags) -> str:
    """Writes the number of tags that no model can know; nothing where there are none."""
    return f", {found.new:,} of whose {found.assignments:,} tags are new" if found.new else ""


app = command(main)

if __name__ == "__main__":
    app()
