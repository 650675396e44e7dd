"""The task that peers are measured on, and the course of it that all have in common."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

K = 5
SEEDS = (0, 1, 2)
"""Of the runs on the test posts; the first is the grids'."""

Settings = dict[str, Any]
Curve = Iterator[tuple[int, np.ndarray]]
"""Epochs learned, and the scores of the target posts after them, more and more."""

MIXED = 8
"""The number of the best settings on each side that are tried together."""
WEIGHTS = tuple(np.round(np.arange(0.05, 1, 0.05), 2).tolist())


@dataclass(frozen=True)
class Posts:
    """Posts as in POSTS.npz: user, photo and starts of each, and the tags."""

    user: np.ndarray
    photo: np.ndarray
    starts: np.ndarray
    tags: np.ndarray

    @property
    def post(self) -> np.ndarray:
        """The post of each tag assignment."""
        return np.repeat(np.arange(len(self.user)), np.diff(self.starts))


@dataclass(frozen=True)
class Task:
    """Posts to learn from, posts to recommend tags for, and the numbers of users, photos and tags."""

    known: Posts
    target: Posts
    users: int
    photos: int
    tags: int

    @cached_property
    def counts(self) -> np.ndarray:
        """The number of known posts with each tag."""
        return np.bincount(self.known.tags, minlength=self.tags)

    @cached_property
    def relevant(self) -> np.ndarray:
        """True for the tags of the target posts: bool (posts, tags)."""
        relevant = np.zeros((len(self.target.user), self.tags), bool)
        in_vocabulary = self.target.tags >= 0
        relevant[self.target.post[in_vocabulary], self.target.tags[in_vocabulary]] = True
        return relevant

    def f1(self, scores: np.ndarray) -> float:
        """F1@5 of scores (posts, tags), the higher the better; of equals the first tag comes first.

        Eq. 10 (`pipeline/evaluation/metrics/f1.py`): the harmonic mean of precision (hits / 5) and recall (hits /
        the post's tags, those that no training post has included), each averaged over the posts first. Tags of no
        known post are not candidates.
        """
        left = np.where(self.counts > 0, scores, -np.inf)
        rows = np.arange(len(left))
        hits = np.zeros(len(left))
        for _ in range(K):
            best = left.argmax(axis=1)
            hits += self.relevant[rows, best]
            left[rows, best] = -np.inf
        precision, recall = np.mean(hits / K), np.mean(hits / np.diff(self.target.starts))
        return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


Once = Callable[[Task, str, Settings, int], np.ndarray]
"""From a task, a side, settings and a seed to scores."""
BestOf = Callable[[Task, str], list[tuple[float, Settings, np.ndarray]]]
"""From a task and a side to the best settings: F1@5, settings and scores, best first."""


def read_tasks(path: Path) -> tuple[Task, Task]:
    """The task of the validation posts and that of the test posts, of POSTS.npz."""
    with np.load(path) as data:
        posts = {name: part(data, name) for name in ("train_fit", "validation", "train", "test")}
        sizes = [int(data[name]) for name in ("n_users", "n_photos", "n_tags")]
    return Task(posts["train_fit"], posts["validation"], *sizes), Task(posts["train"], posts["test"], *sizes)


def part(data: Mapping[str, np.ndarray], name: str) -> Posts:
    """The posts of one part of POSTS.npz."""
    return Posts(*(data[f"{name}_{array}"] for array in ("user", "photo", "starts", "tags")))


def both_sides(name: str, best_of: BestOf, once: Once, validation: Task, test: Task) -> dict[str, Settings]:
    """Measures a peer that knows only pairs: users and tags, photos and tags, and both mixed."""
    best = {side: best_of(validation, side) for side in ("user", "photo")}
    return {
        f"{name}, users × tags": one_side(best["user"], "user", test, once),
        f"{name}, photos × tags": one_side(best["photo"], "photo", test, once),
        f"{name}, both mixed": both_mixed(best, validation, test, once),
    }


def one_side(best: list[tuple[float, Settings, np.ndarray]], side: str, test: Task, once: Once) -> Settings:
    """Measures one side."""
    f1, settings, _ = best[0]
    return report(f1, settings, partial(once, test, side, settings), test)


def both_mixed(best: Mapping[str, list], validation: Task, test: Task, once: Once) -> Settings:
    """Measures the weighted sum of both sides' scores: photos are known by the tags that others gave them."""
    tried = [
        (
            validation.f1(mixed(weight, user_scores, photo_scores)),
            {"weight_of_photo": weight, "user": user, "photo": photo},
        )
        for (_, user, user_scores), (_, photo, photo_scores) in product(best["user"], best["photo"])
        for weight in WEIGHTS
    ]
    f1, settings = max(tried, key=lambda one: one[0])
    say("both, mixed", f1, settings)

    def scores(seed: int) -> np.ndarray:
        sides = (once(test, side, settings[side], seed) for side in ("user", "photo"))
        return mixed(settings["weight_of_photo"], *sides)

    return report(f1, settings, scores, test)


def mixed(weight: float, user_scores: np.ndarray, photo_scores: np.ndarray) -> np.ndarray:
    """The two scores, added."""
    return (1 - weight) * user_scores + weight * photo_scores


def report(f1: float, settings: Settings, scores: Callable[[int], np.ndarray], test: Task) -> Settings:
    """Returns a peer's results, its test posts measured once for each seed."""
    of_seeds = [test.f1(scores(seed)) for seed in SEEDS]
    return {"validation": f1, "test": float(np.mean(of_seeds)), "test_of_seeds": of_seeds, "settings": settings}


def grid(values: Mapping[str, Iterable[Any]]) -> list[Settings]:
    """All combinations."""
    return [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]


def say(*what: object) -> None:
    """A line of progress, on standard error."""
    print(*what, file=sys.stderr, flush=True)
