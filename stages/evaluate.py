"""Ranks the tags for the test posts with one model, and measures it (Eq. 10)."""

from pipeline.evaluation.metrics import curve, metrics, rank, recommendations
from pipeline.files import atomic, read_parquet, write_json, write_parquet
from pipeline.models.registry import load
from pipeline.store import read_store
from stages.cli import Model, command
from stages.params import Params


def main(params: Params, model: Model) -> str:
    paths, config = params.paths, params.model(model)
    posts = read_parquet(paths.test, ["user", "photo", "tags"])
    fitted = load(paths.model(model))
    ranking = rank(fitted, posts, read_store(paths.store(config.features)))
    figures = metrics(ranking)
    write_json(figures, paths.metrics(model))
    with atomic(paths.curve(model)) as file:
        curve(ranking).write_csv(file)
    write_parquet(recommendations(ranking, posts, list(fitted.tags)), paths.recommendations(model))
    return f"evaluate {model}: F1@5 {figures['f1@5']:.4f} over {len(posts):,} test posts"


app = command(main)

if __name__ == "__main__":
    app()
