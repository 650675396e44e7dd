"""Folding in, given tags and probabilities, measured on the sample's artifacts and on real photos.

    python -m benchmarks.suggestions FOLDER [--seeds 0 1 2 3] [--work DIR]

FOLDER is that of benchmarks.real_posts, with galleries/ (posts.csv, image.parquet, objects.parquet: real people's tags)
for given tags. The sample's artifacts are those of the checkout. The model is pitf-ic-od with its chosen settings; on
real photos they are chosen for each seed on one validation part. Intervals are of 2,000 resamples of the test posts,
those of all seeds together. DIR keeps the extracted features for another run.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.real_posts import STORES, prepare, scaled, split
from pipeline.data.schema import FOLD, PHOTO, TAGGED_POST, TAGS, TIME, USER
from pipeline.evaluation.bootstrap import measure, resamples
from pipeline.evaluation.metrics.f1 import F1
from pipeline.evaluation.ranking import Ranking, rank
from pipeline.features.store import Features, StoreConfig, build_store, read_store
from pipeline.files.parquet import read_parquet, write_parquet
from pipeline.models.counts import mark_tags
from pipeline.models.factorisation import FactorisationConfig
from pipeline.models.folding import learn_user
from pipeline.models.model import Model
from pipeline.models.object_names import ObjectNames, ObjectNamesConfig
from pipeline.models.ranking import top_tags
from pipeline.models.settings import BaseModelConfig
from pipeline.recommend.calibration import Calibration, distances, expected_calibration_error, reliability
from pipeline.recommend.companions import Companions
from pipeline.training.fit import fit
from pipeline.training.registry import trainer_of
from pipeline.training.task import TrainingTask
from pipeline.training.tune import ChosenSettings, tune
from project.params import load

NAME, SEEDS, RESAMPLES = "pitf-ic-od", (0, 1, 2, 3), 2000
GROUP = 8
"""Users who are left out of training together."""


@dataclass(frozen=True)
class Case:
    """Posts, split, and the model that was chosen for them."""

    config: BaseModelConfig
    posts: pl.DataFrame
    validation: pl.DataFrame
    test: pl.DataFrame
    features: Features
    seed: int

    def fit(self, posts: pl.DataFrame) -> Model:
        """Fits the model to some of the posts."""
        return fit(self.config, TrainingTask(posts, None, self.features, self.seed)).model

    @property
    def unseen(self) -> pl.DataFrame:
        """The training posts without those for validation."""
        return self.posts.join(self.validation, on=[USER, PHOTO], how="anti", maintain_order="left")


def main(real: Path, seeds: Sequence[int], work: Path) -> None:
    """Prints the results for each set of posts."""
    print(f"100 posts, 5,000 tags, k 128: a user is folded in in {seconds_of_folding():.2f} s")
    for name, found in {"sample": sample(), "real photos": real_photos(real, seeds, work)}.items():
        cases = list(found)
        folding_in(name, cases)
        given(name, cases)
        probabilities(name, cases)
    for name, newest in {"galleries": False, "galleries, newest posts": True}.items():
        given(name, [galleries(real, newest)])  # Five users are too few to leave out eight.


def sample() -> Iterator[Case]:
    """The sample, from the artifacts of this checkout."""
    params = load(Path("params.yaml"))
    chosen = ChosenSettings.read(params.paths.settings(NAME))
    posts, test = (read_parquet(path, TAGGED_POST) for path in (params.paths.train, params.paths.test))
    validation = read_parquet(params.paths.validation).filter(pl.col(FOLD) == 0).select(TAGGED_POST)
    features = read_store(params.paths.store(chosen.config.features))
    config = trainer_of(chosen.config).with_epochs(chosen.config, chosen.epoch)
    yield Case(config, posts, validation, test, features, params.seed)


def real_photos(real: Path, seeds: Sequence[int], work: Path) -> Iterator[Case]:
    """The simulated users' posts over real photos: another split, and another start, for each seed."""
    if not (work / "params.yaml").exists():
        work.mkdir(parents=True, exist_ok=True)
        prepare(work, real, 1)
    for seed in seeds:
        params = split(work, seed)
        config = params.models[NAME]
        posts, test = (read_parquet(work / path, TAGGED_POST) for path in (params.paths.train, params.paths.test))
        validation = read_parquet(work / params.paths.validation, TAGGED_POST)
        features = scaled(work, params, config.features, STORES[0], posts, test)
        task = TrainingTask(posts, None, features, seed)
        chosen, _, _ = tune(config, params.training, params.tuning, task, [validation])
        config = trainer_of(chosen.config).with_epochs(chosen.config, chosen.epoch)
        yield Case(config, posts, validation, test, features, seed)


def galleries(real: Path, newest: bool) -> Case:
    """Reads real people's posts with tags of three posts or more; a fifth of each user's is the test.

    One post of each user is for validation. newest: the newest posts are left out, as when albums follow each other;
    else any.
    """
    posts = pl.read_csv(real / "galleries" / "posts.csv").with_columns(pl.col(TAGS).str.split(" ").list.sort())
    known = posts[TAGS].explode().value_counts().filter(pl.col("count") >= 3)[TAGS].to_list()
    posts = posts.with_columns(pl.col(TAGS).list.eval(pl.element().filter(pl.element().is_in(known))))
    posts = posts.filter(pl.col(TAGS).list.len() > 0).sort(USER, PHOTO)
    posts = posts.sort(TIME, maintain_order=True) if newest else posts.sample(fraction=1, shuffle=True, seed=0)
    posts = posts.with_columns(place=pl.int_range(pl.len()).over(USER) / pl.len().over(USER)).sort(USER, PHOTO)
    rest, test = (posts.filter(part).select(TAGGED_POST) for part in (pl.col("place") < 0.8, pl.col("place") >= 0.8))
    validation = posts.filter(pl.col("place").is_between(0.6, 0.8, closed="left")).select(TAGGED_POST)
    vectors = {name: pl.read_parquet(real / "galleries" / f"{name}.parquet") for name in ("image", "objects")}
    with tempfile.TemporaryDirectory() as folder:
        store = StoreConfig(scaling="standardise", threshold=0.05)
        table = build_store(vectors, {name: {} for name in vectors}, posts[PHOTO], rest[PHOTO], store)
        write_parquet(table, Path(folder) / "store")
        features = read_store(Path(folder) / "store")
    params = load(Path("params.yaml"))
    config, task = FactorisationConfig(kind="pitf", features="image+objects"), TrainingTask(rest, None, features, 0)
    chosen, _, _ = tune(config, params.training, params.tuning, task, [validation])
    return Case(trainer_of(config).with_epochs(chosen.config, chosen.epoch), rest, validation, test, features, 0)


def folding_in(name: str, cases: Sequence[Case]) -> None:
    """Leaves eight users after eight out of training, and folds them in by their training posts."""
    found: dict[str, list[Ranking]] = {}
    for case in cases:
        trained = case.fit(case.posts)
        users = case.posts[USER].unique().sort().to_list()
        np.random.default_rng(0).shuffle(users)
        for first in range(0, len(users) - GROUP + 1, GROUP):
            left_out = users[first : first + GROUP]
            rest = case.posts.filter(~pl.col(USER).is_in(left_out))
            test = case.test.filter(pl.col(USER).is_in(left_out))
            unknown = folded = case.fit(rest)
            for user in left_out:
                folded = folded.fold_in(user, case.posts.filter(pl.col(USER) == user), case.features)
            names = ObjectNames.fit(ObjectNamesConfig(kind="object-names", features="objects"), rest, case.features)
            models = {"trained with them": trained, "folded in": folded, "unknown": unknown, "object names": names}
            for kind, model in models.items():
                found.setdefault(kind, []).append(rank(model, test, case.features))
    sampled = {kind: f1(join(rankings)) for kind, rankings in found.items()}
    for kind, (estimate, samples) in sampled.items():
        print(f"{name}: F1@5 {kind}: {interval(estimate, samples)}")
    with_them, folded = sampled["trained with them"], sampled["folded in"]
    print(f"{name}: folded in / trained with them: {interval(folded[0] / with_them[0], folded[1] / with_them[1])}")
    unknown, names = sampled["unknown"], sampled["object names"]
    print(f"{name}: unknown − object names: {interval(unknown[0] - names[0], unknown[1] - names[1])}")


def given(name: str, cases: Sequence[Case]) -> None:
    """Gives each tag of each test post in turn, and measures the others."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for case in cases:
        unseen, model = case.fit(case.unseen), case.fit(case.posts)
        held = unseen.scores(case.validation, case.features), mark_tags(case.validation, unseen.tags)
        weight = Companions.count(case.unseen, unseen.tags).weighted(*held).weight
        companions = replace(Companions.count(case.posts, model.tags), weight=weight)
        print(f"{name}, seed {case.seed}: weight {weight}", file=sys.stderr, flush=True)
        scores, positives = model.scores(case.test, case.features), mark_tags(case.test, model.tags)
        post, tag = np.nonzero(positives & (positives.sum(axis=1, keepdims=True) > 1))
        left = scores[post].astype(np.float64)
        left[np.arange(len(tag)), tag] = -np.inf
        lifted = left + weight * scores[post].std(axis=1, keepdims=True) * companions.lifts(tag)
        for kind, asked in {"as they are": scores[post], "without it": left, "given it": lifted}.items():
            found.setdefault(kind, []).append(of_others(asked, positives, post, tag))
    sampled = {kind: f1(tuple(map(np.concatenate, zip(*numbers, strict=True)))) for kind, numbers in found.items()}
    for kind, (estimate, samples) in sampled.items():
        print(f"{name}: F1@5 of the other tags, suggestions {kind}: {interval(estimate, samples)}")
    for other in ("as they are", "without it"):
        gain = [mine - theirs for mine, theirs in zip(sampled["given it"], sampled[other], strict=True)]
        print(f"{name}: given it − {other}: {interval(*gain)}")


def of_others(scores: np.ndarray, positives: np.ndarray, post: np.ndarray, tag: np.ndarray) -> tuple[np.ndarray, ...]:
    """Averages precision and recall at 5 of the other tags, over the given tags of each post: (posts, 1)."""
    wanted = positives[post]
    wanted[np.arange(len(tag)), tag] = False
    hits = np.take_along_axis(wanted, top_tags(scores, 5), axis=1)
    numbers = F1.of_posts(hits, wanted.sum(axis=1))
    rows = pl.DataFrame({"post": post} | {str(place): column[:, -1] for place, column in enumerate(numbers)})
    means = rows.group_by("post").mean().sort("post")
    return tuple(means[str(place)].to_numpy()[:, None] for place in range(len(numbers)))


def probabilities(name: str, cases: Sequence[Case]) -> None:
    """Calibrates on validation posts, and compares probabilities with hits on test posts, with and without user."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for case in cases:
        unseen, model = case.fit(case.unseen), case.fit(case.posts)
        held = [top_ten(unseen, case, case.validation, known) for known in (True, False)]
        fitted = tuple(map(np.concatenate, zip(*held, strict=True)))
        calibration = Calibration.fit(*fitted)
        print(f"{name}, seed {case.seed}: {calibration}", file=sys.stderr, flush=True)
        for user, known in {"known": True, "unknown": False}.items():
            scores, top, hits = top_ten(model, case, case.test, known)
            answers = {"sigmoid of score and distance": calibration.probabilities(scores, top)}
            for kind, of in {"distance": distances, "score": partial(np.take_along_axis, axis=1)}.items():
                answers[f"isotonic on {kind}"] = isotonic(of(*fitted[:2]), fitted[2], of(scores, top))
            for kind, answer in answers.items():
                found.setdefault(f"{user} user, {kind}", []).append((answer, hits))
    for kind, each in found.items():
        answers, hits = map(np.concatenate, zip(*each, strict=True))
        error = expected_calibration_error(reliability(answers, hits))
        every = ", ".join(f"{expected_calibration_error(reliability(*one)):.3f}" for one in each)
        brier = np.square(answers - hits).mean()
        print(f"{name}: {kind}: expected calibration error {error:.3f} (each seed: {every}), Brier {brier:.4f}")


def top_ten(model: Model, case: Case, posts: pl.DataFrame, known: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns scores, the ten best tags, and hits of posts; with their user, or an unknown one."""
    asked = posts if known else posts.with_columns(pl.lit(None, pl.String).alias(USER))
    scores = model.scores(asked, case.features).astype(np.float64)
    top = top_tags(scores, 10)
    return scores, top, np.take_along_axis(mark_tags(posts, model.tags), top, axis=1)


def isotonic(x: np.ndarray, hits: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Fits a step function that never falls, by pooling adjacent violators, and interpolates it."""
    values, inverse = np.unique(x, return_inverse=True)
    weights = np.bincount(inverse.ravel())
    pools: list[tuple[float, int, int]] = []  # of each pool the mean, the weight, and the number of values
    for mean, weight in zip(np.bincount(inverse.ravel(), hits.ravel()) / weights, weights, strict=True):
        pools.append((mean, weight, 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (a, m, i), (b, n, j) = pools[-2:]
            pools[-2:] = [((a * m + b * n) / (m + n), m + n, i + j)]
    return np.interp(asked, values, np.repeat([pool[0] for pool in pools], [pool[2] for pool in pools]))


def join(rankings: Sequence[Ranking]) -> tuple[np.ndarray, ...]:
    """Returns the numbers that F1@5 averages, of the posts of several rankings, (posts, 1) each."""
    hits, sizes = (np.concatenate([getattr(each, field) for each in rankings]) for field in ("hits", "sizes"))
    return tuple(numbers[:, 4:5] for numbers in F1.of_posts(hits, sizes))


def f1(numbers: tuple[np.ndarray, ...]) -> tuple[float, np.ndarray]:
    """Measures posts, and resamples of them that are the same for all models: (resamples,)."""
    count = len(numbers[0])
    every = np.ones(count)
    weights = np.concatenate(list(resamples(count, RESAMPLES, np.random.default_rng(0))))
    return float(measure(F1, numbers, every, every[None])[0, 0]), measure(F1, numbers, every, weights)[:, 0]


def interval(estimate: float, samples: np.ndarray) -> str:
    low, high = np.quantile(samples, [0.025, 0.975])
    return f"{estimate:.3f} ({low:.3f} to {high:.3f})"


def seconds_of_folding() -> float:
    """Folds in a user with 100 posts of 5 tags, of 5,000, k = 128; the best of five."""
    rng, found = np.random.default_rng(0), []
    tags, others = rng.normal(size=(5000, 128)) * 0.3, rng.normal(size=(100, 5000))
    positives = np.zeros(others.shape, bool)
    for row in positives:
        row[rng.choice(200, 5, replace=False)] = True
    for _ in range(5):
        start = time.perf_counter()
        learn_user(tags, others, positives, np.zeros(128), 0.02)
        found.append(time.perf_counter() - start)
    return min(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--work", type=Path, metavar="DIR", help="a folder for features, to be used again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(arguments.folder, arguments.seeds, arguments.work or Path(temporary) / "work")
