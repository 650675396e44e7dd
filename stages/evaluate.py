"""Ranks the tags for the test posts with one model, and measures it (Eq. 10)."""

from pipeline.evaluation.metrics import mean_curve, metrics_over_seeds, rank, recommendations
from pipeline.features.store import read_store
from pipeline.files import atomic, read_parquet, write_json, write_parquet
from pipeline.models.registry import load
from project.command import Model, command
from project.params import Params


def main(params: Params, model: Model) -> str:
    paths, config = params.paths, params.model(model)
    posts = read_parquet(paths.test, ["user", "photo", "tags"])
    features = read_store(paths.store(config.features))
    fitted = [load(path) for path in (paths.model(model), *sorted(paths.repeats(model).iterdir()))]
    rankings = [rank(one, posts, features) for one in fitted]
    figures = metrics_over_seeds(rankings)
    write_json(figures, paths.metrics(model))
    with atomic(paths.curve(model)) as file:
        mean_curve(rankings).write_csv(file)
    write_parquet(recommendations(rankings[0], posts, list(fitted[0].tags)), paths.recommendations(model))
    seeds = f" ± {figures['f1@5_deviation']:.4f} ({len(fitted)} seeds)" if len(fitted) > 1 else ""
    return f"evaluate {model}: F1@5 {figures['f1@5']:.4f}{seeds} over {len(posts):,} test posts"


app = command(main)

if __name__ == "__main__":
    app()
