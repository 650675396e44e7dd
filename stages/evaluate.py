"""Suggests tags for the test posts with one model or blend, and measures the suggestions."""

from collections.abc import Mapping
from typing import Any

from pipeline.data.schema import DATED_POST, TAGGED_POST
from pipeline.evaluation.curves import DEVIATION, mean_curve, metrics_over_seeds
from pipeline.evaluation.metrics.measure import HEADLINE
from pipeline.evaluation.ranking import find_hits, recommend
from pipeline.evaluation.unseen import COLD, HOT, NewTags, metrics_by_users
from pipeline.features.store import read_store
from pipeline.files.parquet import read_parquet, write_parquet
from pipeline.files.texts import read_sealed_json, write_csv, write_json
from pipeline.models.registry import load
from pipeline.words import counted
from project.command import Model, command
from project.params import Params


def main(params: Params, model: Model) -> str:
    paths, config = params.paths, params.any_model(model)
    posts, train = read_parquet(paths.test, DATED_POST), read_parquet(paths.train, TAGGED_POST)
    features = read_store(*paths.stored(config.features))
    repeats = [paths.repeat(model, seed) for seed in read_sealed_json(paths.repeat_seeds(model))["seeds"]]
    fitted = [load(path) for path in (paths.model(model), *repeats)]
    suggestions = [recommend(one, posts, features) for one in fitted]
    rankings = [find_hits(posts, one) for one in suggestions]
    metrics = metrics_over_seeds(rankings) | metrics_by_users(rankings, posts, train)
    write_json(metrics, paths.metrics(model))
    write_csv(mean_curve(rankings), paths.curve(model))
    write_parquet(suggestions[0], paths.recommendations(model))
    spread = f" ± {metrics[f'{HEADLINE}{DEVIATION}']:.4f} ({len(fitted)} seeds)" if len(fitted) > 1 else ""
    measured = f"{HEADLINE.label} {metrics[str(HEADLINE)]:.4f}{spread} over {counted(len(posts), 'test posts')}"
    return f"evaluate {model}: {measured}{by_users(metrics)}{new_tags(NewTags.of(posts, train))}"


def by_users(metrics: Mapping[str, Any]) -> str:
    """Writes the metrics of users with and without training posts; nothing where all have some."""
    words = {HOT: "users with training posts", COLD: "users without"}
    return "".join(
        f", {metrics[name][str(HEADLINE)]:.4f} over {metrics[name]['posts']:,} of {whose}"
        for name, whose in words.items()
        if name in metrics
    )


def new_tags(found: NewTags) -> str:
    """Writes the number of tags that no model can know; nothing where there are none."""
    return f", {found.new:,} of whose {found.assignments:,} tags are new" if found.new else ""


app = command(main)

if __name__ == "__main__":
    app()
