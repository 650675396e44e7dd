"""Fits one model to the training posts."""

from pipeline.files import atomic, read_parquet
from pipeline.models.registry import save
from pipeline.store import read_store
from stages.cli import Model, command
from stages.params import Params


def main(params: Params, model: Model) -> str:
    from pipeline.training.fit import fit  # torch, which takes seconds to import: not for --help

    paths, config = params.paths, params.model(model)
    posts = read_parquet(paths.train, ["user", "photo", "tags"])
    fitted = fit(config, params.training, posts, read_store(paths.store(config.features)), params.seed)
    save(fitted.model, paths.model(model))
    with atomic(paths.training(model)) as file:
        fitted.curve.write_csv(file, float_precision=6)
    skipped = f", {fitted.skipped} posts skipped because they have every tag" if fitted.skipped else ""
    return f"train {model}: {len(posts):,} posts, {len(fitted.model.tags):,} tags, on {fitted.device}{skipped}"


app = command(main)

if __name__ == "__main__":
    app()
