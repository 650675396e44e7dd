"""F1@5 of the peers on test posts, each peer tuned on validation posts.

    .venv-peers/bin/python benchmarks/peers/quality.py POSTS.npz

Run by the peers' environment (README.md here); imports nothing of the project. POSTS.npz, which
`benchmarks/folksonomy_npz.py` writes, holds n_users, n_photos and n_tags and, for each part of train_fit, validation,
train (both of those) and test, the arrays <part>_user and <part>_photo (int64, of each post), <part>_tags (int64, the
tags of one post after the other) and <part>_starts (int64, posts + 1: where each post's tags start, and the last end).
Codes are those of the training posts; -1 is a user, photo or tag that they do not know.

Every setting of a grid learns from train_fit and is measured on validation; the best one learns from train, for as
many epochs, and is measured on test. Prints JSON: for each peer `validation` and `test` (F1@5; `test` is the mean over
`test_of_seeds` where chance plays a part) and `settings`. All of it runs on one thread: the peers' own threads would
make the results differ from run to run.
"""

import argparse
import json
from collections.abc import Callable
from heapq import nlargest
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from implicit.cpu.bpr import BayesianPersonalizedRanking
from lightfm import LightFM
from rectools.dataset import Dataset
from rectools.models import EASEModel
from tasks import MIXED, SEEDS, Curve, Posts, Settings, Task, both_sides, grid, read_tasks, report, say
from threadpoolctl import threadpool_limits

IMPLICIT_GRID = {
    "factors": (64, 128),
    "learning_rate": (0.01, 0.05, 0.1),
    "regularization": (1e-4, 1e-3, 1e-2),
}
IMPLICIT_EPOCHS = (20, 40, 60, 80, 100, 150, 200, 300, 500)
EASE_GRID = {"regularization": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)}

LIGHTFM_GRID = {
    "no_components": (64, 128),
    "learning_rate": (0.02, 0.05, 0.1, 0.2),
    "alpha": (0, 1e-6, 1e-5, 1e-4, 1e-3, 3e-3),
}
LIGHTFM_STEP = 10
LIGHTFM_ROUNDS = ((40, 6), (100, 3), (200, 1))
"""The epochs of each rung, and the number of settings that continue: the best so far (successive halving)."""


def main(path: Path) -> None:
    """Tunes and measures every peer, and prints what was found."""
    validation, test = read_tasks(path)
    found = {
        "most popular": plain(most_popular, validation, test),
        "user's most popular": plain(users_most_popular, validation, test),
    }
    for name, best_of, once in (("implicit BPR", best_implicit, implicit_once), ("RecTools EASE", best_ease, ease)):
        found |= both_sides(name, best_of, once, validation, test)
    for loss in ("bpr", "warp"):
        found[f"LightFM, {loss}"] = best_lightfm(loss, validation, test)
    print(json.dumps(found, indent=2, ensure_ascii=False))


def plain(score: Callable[[Task], np.ndarray], validation: Task, test: Task) -> Settings:
    """Measures what has nothing to tune and draws nothing."""
    return {"validation": validation.f1(score(validation)), "test": test.f1(score(test)), "settings": {}}


def most_popular(task: Task) -> np.ndarray:
    """The tags of most posts."""
    return np.broadcast_to(task.counts.astype(float), task.relevant.shape)


def users_most_popular(task: Task) -> np.ndarray:
    """The tags of most of the user's posts, then the tags of most posts."""
    own = np.zeros((task.users + 1, task.tags))  # The last row is of users who are not known.
    np.add.at(own, (task.known.user[task.known.post], task.known.tags), 1)
    return own[task.target.user] + task.counts / (task.counts.max() + 1)


def best_implicit(task: Task, side: str) -> list[tuple[float, Settings, np.ndarray]]:
    """The best settings of BPR on users × tags or photos × tags: F1@5, settings and scores, best first."""
    tried = (
        (task.f1(scores), settings | {"iterations": epochs}, scores)
        for settings in grid(IMPLICIT_GRID)
        for epochs, scores in implicit(task, side, settings, IMPLICIT_EPOCHS, SEEDS[0])
    )
    best = nlargest(MIXED, tried, key=lambda one: one[0])
    say(f"implicit, {side}", *best[0][:2])
    return best


def implicit(task: Task, side: str, settings: Settings, epochs: tuple[int, ...], seed: int) -> Curve:
    """Scores for the target's users, or photos: only the tags' bias where nothing is known of them.

    implicit calls a function at the end of each epoch, which reads its factors.
    """
    row = getattr(task.known, side)[task.known.post]
    rows = task.users if side == "user" else task.photos
    pairs = sp.csr_matrix((np.ones(len(row), np.float32), (row, task.known.tags)), (rows, task.tags))
    pairs.sum_duplicates()
    target = getattr(task.target, side)
    model = BayesianPersonalizedRanking(**settings, iterations=max(epochs), num_threads=1, random_state=seed)
    curve = []

    def read(epoch: int, *_: object) -> None:
        if epoch + 1 in epochs:
            factors = np.where((target >= 0)[:, None], model.user_factors[target], 0)
            factors[:, -1] = 1  # The last factor of a tag is its bias.
            curve.append((epoch + 1, factors @ model.item_factors.T))

    model.fit(pairs, show_progress=False, callback=read)
    return iter(curve)


def implicit_once(task: Task, side: str, settings: Settings, seed: int) -> np.ndarray:
    """Scores after settings["iterations"] epochs."""
    rest = {name: value for name, value in settings.items() if name != "iterations"}
    [(_, scores)] = implicit(task, side, rest, (settings["iterations"],), seed)
    return scores


def best_ease(task: Task, side: str) -> list[tuple[float, Settings, np.ndarray]]:
    """The best settings of EASE on users × tags or photos × tags: F1@5, settings and scores, best first."""
    tried = []
    for settings in grid(EASE_GRID):
        scores = ease(task, side, settings)
        tried.append((task.f1(scores), settings, scores))
    best = nlargest(MIXED, tried, key=lambda one: one[0])
    say(f"EASE, {side}", *best[0][:2])
    return best


def ease(task: Task, side: str, settings: Settings, seed: int = 0) -> np.ndarray:  # noqa: ARG001 (nothing is drawn)
    """Scores for the target's users, or photos: their counted tags times EASE's weights; zero where none is known."""
    row = getattr(task.known, side)[task.known.post]
    pairs = pd.DataFrame({"user_id": row, "item_id": task.known.tags, "weight": 1.0, "datetime": "2020-01-01"})
    pairs = pairs.groupby(["user_id", "item_id", "datetime"], as_index=False).sum()
    dataset = Dataset.construct(pairs)
    model = EASEModel(**settings).fit(dataset)
    scores = np.zeros((len(task.target.user), task.tags))
    known = dataset.user_id_map.convert_to_internal(getattr(task.target, side), strict=False, return_missing=False)
    found = np.isin(getattr(task.target, side), dataset.user_id_map.external_ids)
    tags = dataset.item_id_map.external_ids.astype(int)
    scores[np.ix_(np.flatnonzero(found), tags)] = dataset.get_user_item_matrix()[known] @ model.weight
    return scores


def best_lightfm(loss: str, validation: Task, test: Task) -> Settings:
    """Measures LightFM with one loss."""
    runs = [(settings, lightfm(validation, loss, settings, SEEDS[0])) for settings in grid(LIGHTFM_GRID)]
    best = [(0.0, settings | {"epochs": 0}) for settings, _ in runs]
    done, going = 0, list(range(len(runs)))
    for epochs, survivors in LIGHTFM_ROUNDS:
        for run in going:
            settings, curve = runs[run]
            for epoch, scores in islice(curve, (epochs - done) // LIGHTFM_STEP):
                f1 = validation.f1(scores)
                if f1 > best[run][0]:
                    best[run] = f1, settings | {"epochs": epoch}
        done, going = epochs, nlargest(survivors, going, key=lambda run: best[run][0])
    f1, settings = best[going[0]]
    say(f"LightFM, {loss}", f1, settings)

    def scores(seed: int) -> np.ndarray:
        rest = {name: value for name, value in settings.items() if name != "epochs"}
        return next(scores for epoch, scores in lightfm(test, loss, rest, seed) if epoch == settings["epochs"])

    return report(f1, settings, scores, test)


def lightfm(task: Task, loss: str, settings: Settings, seed: int) -> Curve:
    """Scores for the target posts, every ten epochs until it diverges: posts learn as LightFM's users do.

    The features of a post are the indicators of its user and of its photo, those left out that no known post has; the
    tags are the items.
    """
    known = task.known
    settings = dict(settings)
    alpha = settings.pop("alpha")
    model = LightFM(**settings, loss=loss, user_alpha=alpha, item_alpha=alpha, random_state=seed)
    shape = (len(known.user), task.tags)
    assignments = sp.coo_matrix((np.ones(len(known.tags), np.float32), (known.post, known.tags)), shape)
    seen = np.append(np.bincount(known.user, minlength=task.users), np.bincount(known.photo, minlength=task.photos)) > 0
    known_features, target_features = (indicators(task, posts, seen) for posts in (known, task.target))
    epoch = 0
    while True:
        try:
            model.fit_partial(assignments, known_features, epochs=LIGHTFM_STEP, num_threads=1)
        except ValueError:  # "Not all estimated parameters are finite"
            return
        epoch += LIGHTFM_STEP
        yield epoch, (target_features @ model.user_embeddings) @ model.item_embeddings.T + model.item_biases


def indicators(task: Task, posts: Posts, seen: np.ndarray) -> sp.csr_matrix:
    """Marks the user and the photo of each post: float32 (posts, users + photos), only those that are `seen`."""
    post = np.tile(np.arange(len(posts.user)), 2)
    column = np.append(posts.user, np.where(posts.photo >= 0, task.users + posts.photo, -1))
    kept = (column >= 0) & seen[column]
    shape = (len(posts.user), task.users + task.photos)
    return sp.csr_matrix((np.ones(kept.sum(), np.float32), (post[kept], column[kept])), shape)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", type=Path, metavar="POSTS.npz")
    with threadpool_limits(1, "blas"):
        main(parser.parse_args().path)
