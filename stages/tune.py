"""Chooses one model's settings on validation posts (Section 5.2)."""

import shutil

import polars as pl

from pipeline.data.schema import DATED_POST, FOLD
from pipeline.evaluation.metrics.measure import Measure
from pipeline.features.store import read_store
from pipeline.files.atomic import atomic_folder
from pipeline.files.parquet import read_parquet
from pipeline.files.texts import write_csv
from pipeline.models.registry import MODELS, save
from pipeline.training.task import TrainingTask
from pipeline.training.tune import tune
from pipeline.words import counted
from project.command import Model, command
from project.explain import section
from project.params import Params


def main(params: Params, model: Model) -> str:
    paths, config, measure = params.paths, params.model(model), Measure.parse(params.tuning.measure)
    posts, validation = read_parquet(paths.train, DATED_POST), read_parquet(paths.validation, [*DATED_POST, FOLD])
    folds = validation.partition_by(FOLD, maintain_order=True, include_key=False)
    task = TrainingTask(posts, None, read_store(*paths.stored(config.features)), params.seed, measure)
    unfinished = paths.unfinished("tune", model)
    with section(f"models.{model}"):
        chosen, table, held_out = tune(config, params.training, params.tuning, task, folds, unfinished)
    write_csv(table, paths.tuning(model))
    chosen.write(paths.settings(model))
    with atomic_folder(paths.held_out(model)) as folder:
        for fold, one in enumerate(held_out):
            save(one, folder / paths.held_out_model(model, fold).name)
    shutil.rmtree(unfinished, ignore_errors=True)
    if chosen.score is None:
        return f"tune {model}: nothing to choose, and no validation posts"
    found = f"{measure.label} {chosen.score:.4f} on {counted(len(validation), 'validation posts')}"
    best = table.row(by_predicate=pl.col("chosen"), named=True)
    edges = ", ".join(f"{name} {best[name]}" for name in chosen.edges)
    notes = [f"at the edge of the grid: {edges}"] if edges else []
    if MODELS[config.kind].misses_times(posts):
        notes.append("no post has a time, so that all count alike")
    return "; ".join([f"tune {model}: {found}, best of {len(table)}{early(table, params.tuning.eliminate)}", *notes])


def early(table: pl.DataFrame, eliminate: int) -> str:
    """Counts the combinations that ended early; says so where none could, though it was asked for."""
    if stopped := table["stopped"].sum():
        return f", of which {stopped} ended early"
    if eliminate == 1 or len(table) == 1 or table["epochs"].is_null().all():
        return ""
    return ", none of which ended early: their steps are too few, or their epochs differ"


app = command(main)

if __name__ == "__main__":
    app()
