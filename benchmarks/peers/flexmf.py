"""F1@5 of LensKit's FlexMF on test posts, tuned on validation posts as the other peers are.

    .venv-lenskit/bin/python benchmarks/peers/flexmf.py POSTS.npz

Run by an environment of its own (README.md here); imports nothing of the project. `quality.py` describes the input and
what is printed.
"""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from heapq import nlargest
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from lenskit.data import DatasetBuilder
from lenskit.flexmf import FlexMFImplicitScorer
from lenskit.training import TrainingOptions
from tasks import MIXED, SEEDS, Curve, Settings, Task, both_sides, grid, read_tasks, say

GRID = {
    "embedding_size": (64,),
    "learning_rate": (0.003, 0.01, 0.03),
    "regularization": (0.001, 0.01, 0.1),
    "batch_size": (1024,),
}
EPOCHS = (10, 20, 30, 40, 60, 80, 120)
OPTIONS = {"LK_TORCH_COMPILE": "false"}
"""Compiling takes longer than training."""


def main(path: Path) -> None:
    """Tunes and measures it with each loss, and prints what was found."""
    validation, test = read_tasks(path)
    found = {}
    for preset in ("bpr", "warp"):
        found |= both_sides(f"FlexMF, {preset}", partial(best_of, preset), partial(once, preset), validation, test)
    print(json.dumps(found, indent=2, ensure_ascii=False))


def best_of(preset: str, task: Task, side: str) -> list[tuple[float, Settings, np.ndarray]]:
    """The best settings on users × tags or photos × tags: F1@5, settings and scores, best first."""
    tried = (
        (task.f1(scores), settings | {"epochs": epochs}, scores)
        for settings in grid(GRID)
        for epochs, scores in flexmf(preset, task, side, settings, EPOCHS, SEEDS[0])
    )
    best = nlargest(MIXED, tried, key=lambda one: one[0])
    say(f"FlexMF, {preset}, {side}", *best[0][:2])
    return best


def once(preset: str, task: Task, side: str, settings: Settings, seed: int) -> np.ndarray:
    """Scores after settings["epochs"] epochs."""
    rest = {name: value for name, value in settings.items() if name != "epochs"}
    [(_, scores)] = flexmf(preset, task, side, rest, (settings["epochs"],), seed)
    return scores


def flexmf(preset: str, task: Task, side: str, settings: Settings, epochs: Sequence[int], seed: int) -> Curve:
    """Scores for the target's users, or photos: no more than the tags' bias where nothing is known of them."""
    row = getattr(task.known, side)[task.known.post]
    pairs = pd.DataFrame({"user_id": row, "item_id": task.known.tags}).drop_duplicates()
    builder = DatasetBuilder()
    builder.add_interactions("tagged", pairs, entities=["user", "item"], missing="insert", default=True)
    model = FlexMFImplicitScorer(preset=preset, item_bias=True, **settings)
    trainer = model.create_trainer(builder.build(), TrainingOptions(device="cpu", rng=seed, environment=OPTIONS))
    target = model.users.numbers(getattr(task.target, side), missing="negative")
    tags = model.items.ids().astype(int)
    for epoch in range(1, max(epochs) + 1):
        trainer.train_epoch()
        if epoch in epochs:
            tables = {name: table.detach().numpy() for name, table in model.model.named_parameters()}
            known = np.where((target >= 0)[:, None], tables["u_embed.weight"][target], 0)
            scores = np.full((len(target), task.tags), -np.inf, np.float32)
            scores[:, tags] = known @ tables["i_embed.weight"].T + tables["i_bias.weight"][:, 0]
            yield epoch, scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", type=Path, metavar="POSTS.npz")
    torch.set_num_threads(1)
    main(parser.parse_args().path)
