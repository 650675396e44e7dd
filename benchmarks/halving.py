"""Successive halving compared with the full grid, on real folksonomies: settings, F1@5 and CPU seconds.

    python -m benchmarks.halving REAL [--sets NAME …] [--models NAME …]

REAL holds folksonomies/ and galleries/. Each set's model is PITF with all features that the set has, unless others are
named, with the grid and the training of params.yaml; split and seed are 0. Prints a row for each search.
"""

import argparse
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.leaderboard import DATA_SETS, Halves, divide
from pipeline.data.schema import FOLD
from pipeline.evaluation.metrics.measure import HEADLINE
from pipeline.evaluation.ranking import rank
from pipeline.models.settings import BaseModelConfig
from pipeline.training.task import TrainingTask
from pipeline.training.tune import fit_chosen, tune
from project.params import Params, load


def main(real: Path, names: Sequence[str], models: Sequence[str]) -> None:
    """Prints a row for each set, model and search."""
    params = load(Path("params.yaml"))
    for name in names:
        data = DATA_SETS[name]
        halves = divide(data, real / data.folder, 0, params)
        default = "pitf-ic-od" if data.vectors else "pitf"
        for model, eliminate in product(models or [default], (params.tuning.eliminate, 1)):
            found = search(params.model(model), eliminate, halves, params)
            print(f"| {name}, {model} | {eliminate} | {' | '.join(map(str, found))} |", flush=True)


def search(config: BaseModelConfig, eliminate: int, halves: Halves, params: Params) -> list[Any]:
    """Returns the settings chosen, their epoch, F1@5 on validation and test posts, and the search's seconds of CPU."""
    task = TrainingTask(halves.train, None, halves.features[config.features], 0)
    folds = halves.validation.partition_by(FOLD, maintain_order=True, include_key=False)
    tuning = params.tuning.model_copy(update={"eliminate": eliminate})
    start = time.process_time()
    choice, table, _ = tune(config, params.training, tuning, task, folds)
    seconds = time.process_time() - start
    model = fit_chosen(choice, True, task, folds[0]).model
    ranking = rank(model, halves.test, task.features)
    row = table.row(by_predicate=pl.col("chosen"), named=True)
    settings = ", ".join(f"{name} {row[name]:g}" for name in params.tuning.grid)
    tested = HEADLINE.of(ranking.hits, ranking.sizes)
    return [settings, choice.epoch, f"{choice.score:.3f}", f"{tested:.3f}", f"{seconds:.0f}"]


if __name__ == "__main__":
    sets = ["movielens", "dresden-newest", "galleries-newest", "galleries-random"]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("real", type=Path, metavar="REAL")
    parser.add_argument("--sets", nargs="*", default=sets, choices=[*DATA_SETS])
    parser.add_argument("--models", nargs="*", default=[], help="PITF with all features when none are named")
    arguments = parser.parse_args()
    main(arguments.real, arguments.sets, arguments.models)
