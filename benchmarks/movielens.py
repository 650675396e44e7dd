"""F1@5 of FM and PITF on a real folksonomy, compared with implicit and LightFM, all tuned on validation posts.

    python -m benchmarks.movielens TRAIN.tsv TEST.tsv [--peers PYTHON] [--seeds 3]

The folksonomy is split as given: the tables have no header and the columns user, item, tag and time, separated by tabs.
Validation is one random post of each user, the same for all. PYTHON is that of the peers' environment
(benchmarks/peers/README.md); their search takes a quarter of an hour. Prints a row for each: F1@5 on the validation and
(mean over seeds) on the test posts, and settings.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import polars as pl

from benchmarks.folksonomy_npz import encode, grouped, read
from pipeline.evaluation.curves import metrics
from pipeline.evaluation.ranking import rank
from pipeline.features.store import Features
from pipeline.folksonomy.split import validation_posts
from pipeline.folksonomy.split_rules import LeavePosts
from pipeline.models.factorisation import FactorisationConfig
from pipeline.training.config import TuningConfig
from pipeline.training.task import TrainingTask
from pipeline.training.tune import fit_chosen, tune
from project.params import load

GRID = {
    "learning_rate": [0.05, 0.1],
    "l2": [3e-3, 1e-2],
    "negatives": [{"kind": "uniform"}, {"kind": "adaptive", "mean_rank": 0.02}],
}
SEED = 0


def main(train: Path, test: Path, peers: Path | None, seeds: int) -> None:
    """Prints the table."""
    assignments, left_out = read(train), read(test)
    for kind in ("fm", "pitf"):
        ours(kind, grouped(assignments), grouped(left_out), seeds)
    if peers is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "posts.npz"
        np.savez(file, **encode(assignments, left_out, np.random.default_rng(SEED)))
        program = Path(__file__).parent / "peers" / "quality.py"
        done = subprocess.run([peers, program, file], check=True, stdout=subprocess.PIPE, text=True)
    for name, found in json.loads(done.stdout).items():
        print(f"{name:28} validation {found['validation']:.4f}  test {found['test']:.4f}  {found['settings']}")


def ours(kind: str, posts: pl.DataFrame, test: pl.DataFrame, seeds: int) -> None:
    """Chooses on validation posts, fits to all training posts from several seeds, and measures on the test posts."""
    rng = np.random.default_rng(SEED)
    validation = validation_posts(posts, test, posts, LeavePosts(test_posts=1), 1, rng).drop("fold")
    features = Features(pl.concat([posts["photo"], test["photo"]]).unique().sort(), {})
    training = load(Path("params.yaml")).training.model_copy(update={"curve_every": 10})
    config = FactorisationConfig(kind=kind, features="none")
    choice, table, _ = tune(
        config,
        training,
        TuningConfig(measure="f1@5", grid=GRID, eliminate=1, extend=False, folds=1, refit=True),
        TrainingTask(posts, None, features, SEED),
        [validation],
    )
    chosen = table.row(by_predicate=pl.col("chosen"), named=True)
    found = []
    for seed in range(SEED, SEED + seeds):
        fitted = fit_chosen(choice, True, TrainingTask(posts, None, features, seed), validation)
        found.append(metrics(rank(fitted.model, test, features))["f1@5"])
    spread = stdev(found) if seeds > 1 else 0.0
    print(f"{kind:28} validation {choice.score:.4f}  test {fmean(found):.4f} ± {spread:.4f}  {chosen}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("train", type=Path, metavar="TRAIN.tsv")
    parser.add_argument("test", type=Path, metavar="TEST.tsv")
    parser.add_argument("--peers", type=Path, help="the peers' python")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    main(arguments.train, arguments.test, arguments.peers, arguments.seeds)
