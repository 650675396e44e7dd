"""Fits one model to the training posts, with the settings that were chosen."""

import shutil

import polars as pl

from pipeline.features.store import read_store
from pipeline.files import atomic, read_json, read_parquet
from pipeline.models.factorisation import FactorisationConfig
from pipeline.models.registry import save
from pipeline.training.bpr.checkpoint import Checkpoint
from pipeline.training.tune import Choice, fit_chosen
from project.command import Model, command
from project.params import Params

POST = ("user", "photo", "tags")


def main(params: Params, model: Model) -> str:
    paths = params.paths
    choice = Choice.from_json(read_json(paths.settings(model)))
    posts = read_parquet(paths.train, POST)
    validation = read_parquet(paths.validation, [*POST, "fold"]).filter(pl.col("fold") == 0).select(POST)
    features, unfinished = read_store(paths.store(choice.config.features)), paths.unfinished("train", model)
    repeats = paths.repeats(model)
    shutil.rmtree(repeats, ignore_errors=True)
    repeats.mkdir(parents=True)
    seeds = params.seeds if isinstance(choice.config, FactorisationConfig) else 1  # Nothing else draws anything.
    for seed in range(params.seed, params.seed + seeds):
        checkpoint = Checkpoint(unfinished / f"seed-{seed}.safetensors")
        fitted = fit_chosen(choice, params.tuning.refit, posts, validation, features, seed, checkpoint)
        if seed > params.seed:
            save(fitted.model, repeats / f"seed-{seed}.safetensors")
            continue
        first = fitted
        save(first.model, paths.model(model))
        with atomic(paths.training(model)) as file:
            first.curve.write_csv(file, float_precision=6)
    shutil.rmtree(unfinished, ignore_errors=True)
    skipped = f", {first.skipped} posts skipped because they have every tag" if first.skipped else ""
    several = f", {seeds} seeds" if seeds > 1 else ""
    return f"train {model}: {len(posts):,} posts, {len(first.model.tags):,} tags{several}, on {first.device}{skipped}"


app = command(main)

if __name__ == "__main__":
    app()
