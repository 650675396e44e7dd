"""Suggests tags for the test posts with one model, and measures the suggestions."""

from pipeline.data.schema import DATED_POST
from pipeline.evaluation.curves import DEVIATION, mean_curve, metrics_over_seeds
from pipeline.evaluation.metrics.measure import HEADLINE
from pipeline.evaluation.ranking import find_hits, recommend
from pipeline.features.store import read_store
from pipeline.files import atomic, read_json, read_parquet, write_json, write_parquet
from pipeline.models.registry import load
from project.command import Model, command
from project.params import Params


def main(params: Params, model: Model) -> str:
    paths, config = params.paths, params.model(model)
    posts = read_parquet(paths.test, DATED_POST)
    features = read_store(paths.store(config.features))
    repeats = [paths.repeat(model, seed) for seed in read_json(paths.repeat_seeds(model))]
    fitted = [load(path) for path in (paths.model(model), *repeats)]
    suggestions = [recommend(one, posts, features) for one in fitted]
    rankings = [find_hits(posts, one) for one in suggestions]
    figures = metrics_over_seeds(rankings)
    write_json(figures, paths.metrics(model))
    with atomic(paths.curve(model)) as file:
        mean_curve(rankings).write_csv(file)
    write_parquet(suggestions[0], paths.recommendations(model))
    spread = f" ± {figures[f'{HEADLINE}{DEVIATION}']:.4f} ({len(fitted)} seeds)" if len(fitted) > 1 else ""
    return f"evaluate {model}: {HEADLINE.label} {figures[str(HEADLINE)]:.4f}{spread} over {len(posts):,} test posts"


app = command(main)

if __name__ == "__main__":
    app()
