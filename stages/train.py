"""Fits one model to the training posts, with the chosen settings."""

import shutil

import polars as pl

from pipeline.data.schema import DATED_POST, FOLD
from pipeline.features.store import read_store
from pipeline.files.atomic import atomic_folder
from pipeline.files.parquet import read_parquet
from pipeline.files.texts import write_csv, write_sealed_json
from pipeline.models.registry import save
from pipeline.training.registry import trainer_of
from pipeline.training.task import TrainingTask
from pipeline.training.tune import ChosenSettings, fit_chosen
from pipeline.words import counted
from project.command import Model, command
from project.explain import section
from project.params import Params


def main(params: Params, model: Model) -> str:
    paths = params.paths
    chosen = ChosenSettings.read(paths.settings(model))
    posts = read_parquet(paths.train, DATED_POST)
    validation = read_parquet(paths.validation, [*DATED_POST, FOLD]).filter(pl.col(FOLD) == 0).select(DATED_POST)
    features = read_store(*paths.stored(chosen.config.features))
    unfinished = paths.unfinished("train", model)
    seeds = params.seeds if trainer_of(chosen.config).draws else 1
    with atomic_folder(paths.repeats(model)) as folder:
        further = [*range(params.seed + 1, params.seed + seeds)]
        write_sealed_json({"seeds": further}, folder / paths.repeat_seeds(model).name)
        for seed in range(params.seed, params.seed + seeds):
            task = TrainingTask(posts, None, features, seed, chosen.measure)
            with section(f"models.{model}"):
                fitted = fit_chosen(chosen, params.tuning.refit, task, validation, unfinished / f"seed-{seed}")
            if seed > params.seed:
                save(fitted.model, folder / paths.repeat(model, seed).name)
                continue
            first = fitted
            save(first.model, paths.model(model))
            write_csv(first.curve, paths.training(model), float_precision=6)
    shutil.rmtree(unfinished, ignore_errors=True)
    skipped = f", without {counted(first.skipped, 'posts')} that have every tag" if first.skipped else ""
    several = f", {seeds} seeds" if seeds > 1 else ""
    learnt = f"{counted(len(posts), 'posts')}, {len(first.model.tags):,} tags"
    return f"train {model}: {learnt}{several}, on {first.device}{skipped}"


app = command(main)

if __name__ == "__main__":
    app()
