"""Chooses one model's settings on validation posts (Section 5.2)."""

import shutil

from pipeline.features.store import read_store
from pipeline.files import atomic, read_parquet, write_json
from pipeline.training.tune import tune
from project.command import Model, command
from project.params import Params

POST = ("user", "photo", "tags")


def main(params: Params, model: Model) -> str:
    paths, config = params.paths, params.model(model)
    posts, validation = read_parquet(paths.train, POST), read_parquet(paths.validation, [*POST, "fold"])
    folds = validation.partition_by("fold", maintain_order=True, include_key=False)
    features, unfinished = read_store(paths.store(config.features)), paths.unfinished("tune", model)
    choice, table = tune(config, params.training, params.tuning, posts, folds, features, params.seed, unfinished)
    with atomic(paths.tuning(model)) as file:
        table.write_csv(file)
    write_json(choice.as_json(), paths.settings(model))
    shutil.rmtree(unfinished, ignore_errors=True)
    if choice.score is None:
        return f"tune {model}: nothing to choose"
    return f"tune {model}: F1@5 {choice.score:.4f} on {len(validation):,} validation posts, best of {len(table)}"


app = command(main)

if __name__ == "__main__":
    app()
