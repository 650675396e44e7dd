"""Training speed: quadruples a second beside implicit's and LightFM's, growth, and all eight models to convergence.

    python -m benchmarks.training [--peers PYTHON] [--posts 76842] [--batch 1024] [--only fm fm-ic-od …]

The data are made up in the shape of NUS-WIDE-2 (Table 2: 1,999 users, 1,661 tags, 76,842 training posts, 6.7 tags a
post, 592 numbers a photo), with something to learn in them: each user prefers some tags, and each photo shows some of
forty things that its features tell and that go with some tags. PYTHON is that of the peers' environment
(benchmarks/peers/README.md); without it the peers are left out. All models train with the settings of params.yaml but
for the batch (what `make nus-wide-2` sets, by default), on as many threads as torch takes.
"""

import argparse
import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
import torch
from torch import Tensor

from pipeline.folksonomy.split import LeaveShare, split
from pipeline.models.config import FactorisationConfig
from pipeline.models.factorisation import Contexts
from pipeline.store import Features
from pipeline.training.bpr import Trained, joined, shapes, train
from pipeline.training.config import TrainingConfig
from pipeline.training.gradients import add_gradients, post_vectors
from pipeline.training.quadruples import TrainingPosts
from pipeline.training.threads import one_thread
from pipeline.training.trials import Stack
from stages.params import load

USERS, TAGS, THINGS = 1999, 1661, 40
WIDTHS = {"image": 512, "objects": 80}
FACTORS = 128
EPOCHS = 5
CPU = torch.device("cpu")
FEATURE_SETS = ("none", "image", "objects", "image+objects")


def main(peers: Path | None, posts: int, batch: int, only: list[str]) -> None:
    """Prints the figures that are asked for."""
    training = load(Path("params.yaml")).training.model_copy(update={"factors": FACTORS, "batch": batch})
    print(f"{torch.get_num_threads()} threads; {posts:,} posts, {USERS:,} users, {TAGS:,} tags; {batch} posts a batch")
    if {"fm", "fm-ic-od"} & set(only):
        data, features = made_up(posts)
        found = rates_of_peers(peers, data, features) if peers else {}
    if "fm" in only:
        beside_implicit(training, data, features, found)
    if "fm-ic-od" in only:
        beside_lightfm(training, data, features, found)
    if "growth" in only:
        growth(training, posts)
    if "convergence" in only:
        convergence(training, posts)


def made_up(posts: int, seed: int = 0) -> tuple[pl.DataFrame, Features]:
    """Posts (user, photo, tags) of photos of their own, and the photos' features, scaled as the store scales them."""
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, TAGS + 1) ** 0.8
    liked = rng.choice(TAGS, (USERS, 12), p=popularity / popularity.sum())
    shown = rng.choice(TAGS, (THINGS, 12), p=popularity / popularity.sum())
    things = rng.integers(0, THINGS, (posts, 2))
    users = rng.integers(0, USERS, posts)
    # Of ten draws half are of the user's tags, half of those of what is seen: 6.7 different ones on average.
    own = np.take_along_axis(liked[users], rng.integers(0, 12, (posts, 4)), axis=1)
    seen = np.concatenate([shown[things[:, side], rng.integers(0, 12, (2, posts))].T for side in (0, 1)], axis=1)
    names = np.array([f"t{tag:04}" for tag in range(TAGS)])
    tags = [names[np.unique(row)].tolist() for row in np.concatenate([own, seen], axis=1)]
    matrices = {}
    for kind, width in WIDTHS.items():
        looks = rng.standard_normal((THINGS, width), dtype=np.float32)
        matrix = looks[things[:, 0]] + looks[things[:, 1]] + rng.standard_normal((posts, width), dtype=np.float32)
        matrices[kind] = matrix / np.float32(np.sqrt(3 * width))
    photos = pl.Series([f"p{photo:07}" for photo in range(posts)])
    frame = pl.DataFrame({"user": [f"u{user:04}" for user in users], "photo": photos, "tags": tags})
    return frame, Features(photos, matrices)


class Bench:
    """One model on made-up posts, trained an epoch at a time with a clock on each part."""

    def __init__(
        self,
        training: TrainingConfig,
        posts: pl.DataFrame,
        features: Features,
        kind: str,
        feature_set: str,
        user_alone: bool = False,
    ):
        config = FactorisationConfig(kind=kind, features=feature_set)
        self.features = Features(features.photos, {k: m for k, m in features.matrices.items() if k in feature_set})
        self.settings = training
        self.bare = np.concatenate(list(self.features.matrices.values()), axis=1) if self.features.matrices else None
        self.contexts, self.features = joined(Contexts.of(config, FACTORS), self.features)
        if user_alone:
            self.contexts = Contexts(("user",), self.contexts.shared, FACTORS)
        names = {"users": sorted(posts["user"].unique()), "tags": sorted(posts["tags"].explode().unique())}
        if "photo" in self.contexts.names:
            names["photos"] = posts["photo"].to_list()
        self.data = TrainingPosts.encode(posts, self.contexts, names, self.features, CPU)
        self.stack = Stack.start(
            self.contexts, [self.settings], shapes(config, self.contexts, names, self.features), 0, CPU
        )
        self.order, self.draws = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
        self.seconds: dict[str, float] = {}

    def epoch(self) -> float:
        """Seconds of one epoch, as training runs it."""
        with one_thread():
            start = time.perf_counter()
            self.stack.epoch(1, self.data, None, self.order, self.draws)
            return time.perf_counter() - start

    def parts(self) -> dict[str, float]:
        """Seconds of one epoch's parts."""
        with one_thread():
            return self._parts()

    def _parts(self) -> dict[str, float]:
        self.seconds = {}
        stack, rates = self.stack, self.stack.each("learning_rate")
        for batch in self.timed("sampling, reading", self.data.epoch(self.settings.batch, self.order, self.draws)):
            with self.clock("projecting"):
                vectors = post_vectors(self.contexts, stack.parameters, batch)
            with self.clock("gradients"):
                negative = batch.negative[:, None]
                add_gradients(self.contexts, stack.parameters, stack.gradients, batch, vectors, negative)
            with self.clock("steps"):
                stack.optimizer.step(stack.gradients, batch.entities, rates, stack.l2)
        return self.seconds

    @contextmanager
    def clock(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[part] = self.seconds.get(part, 0) + time.perf_counter() - start

    def timed(self, part: str, items: Iterator) -> Iterator:
        while True:
            with self.clock(part):
                item = next(items, None)
            if item is None:
                return
            yield item

    def rate(self) -> float:
        """Quadruples a second: the median of some epochs after a first, which compiles and warms up."""
        self.epoch()
        return len(self.data.tags) / median(self.epoch() for _ in range(EPOCHS))

    def products(self) -> float:
        """Seconds of the bare products of an epoch: all features forward once and back once, batch by batch."""
        inputs = torch.from_numpy(self.bare)
        weights = torch.randn(inputs.shape[1], FACTORS)

        def once() -> float:
            start = time.perf_counter()
            for rows in inputs.split(self.settings.batch):
                multiply(rows, weights)
            return time.perf_counter() - start

        once()
        return median(once() for _ in range(EPOCHS))


def multiply(rows: Tensor, weights: Tensor) -> Tensor:
    """Forward and back: (B, m) × (m, k), then (m, B) × (B, k)."""
    return rows.T @ (rows @ weights)


def rates_of_peers(python: Path, posts: pl.DataFrame, features: Features) -> dict[str, dict[str, float]]:
    """What implicit and LightFM reach on the same posts."""
    pairs = posts.with_row_index("post").explode("tags")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "training.npz"
        np.savez(
            file,
            post_user=posts["user"].rank("dense").to_numpy().astype(np.int64) - 1,
            post_photo=np.arange(len(posts)),
            post=pairs["post"].to_numpy().astype(np.int64),
            tag=pairs["tags"].rank("dense").to_numpy().astype(np.int64) - 1,
            features=np.concatenate(list(features.matrices.values()), axis=1),
        )
        program = Path(__file__).parent / "peers" / "speed.py"
        done = subprocess.run([python, program, file], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def beside_implicit(
    training: TrainingConfig, posts: pl.DataFrame, features: Features, peers: dict[str, dict[str, float]]
) -> None:
    """FM with user factors alone, which is what implicit learns, and the FM of the paper."""
    ours = Bench(training, posts, features, "fm", "none", user_alone=True).rate()
    print(f"FM, user factors alone: {ours / 1e6:.2f} M quadruples/s")
    print(f"FM with photo factors:  {Bench(training, posts, features, 'fm', 'none').rate() / 1e6:.2f} M quadruples/s")
    if "implicit" in peers:
        theirs = peers["implicit"]
        drawn, learnt = theirs["samples_per_second"], theirs["learned_from_per_second"]
        print(f"implicit: {drawn / 1e6:.2f} M samples/s, of which it learns from {learnt / 1e6:.2f} M")
        print(f"FM / implicit: {ours / learnt:.2f} (of what it draws: {ours / drawn:.2f})")


def beside_lightfm(
    training: TrainingConfig, posts: pl.DataFrame, features: Features, peers: dict[str, dict[str, float]]
) -> None:
    """FM-IC-OD, and the products that it cannot avoid."""
    bench = Bench(training, posts, features, "fm", "image+objects")
    ours = bench.rate()
    print(f"FM-IC-OD: {ours / 1e6:.3f} M quadruples/s, an epoch {len(bench.data.tags) / ours:.2f} s")
    if "lightfm" in peers:
        theirs = peers["lightfm"]["samples_per_second"]
        print(f"LightFM with the same features: {theirs:,.0f} samples/s; FM-IC-OD / LightFM: {ours / theirs:,.0f}")
    bare, epoch = bench.products(), len(bench.data.tags) / ours
    print(f"its bare products: {bare:.2f} s; the epoch takes {epoch / bare:.2f} times as long")
    print("an epoch's parts: " + ", ".join(f"{part} {seconds:.2f} s" for part, seconds in bench.parts().items()))


def growth(training: TrainingConfig, posts: int) -> None:
    """An epoch of FM-IC-OD on 1, 4 and 16 times the posts."""
    for times in (1, 4, 16):
        data, features = made_up(posts * times)
        bench = Bench(training, data, features, "fm", "image+objects")
        held = sum(t.nbytes for t in (*bench.data.features.values(), *bench.data.entities.values(), bench.data.tags))
        del data, features
        bench.epoch()
        before = peak()
        seconds = median(bench.epoch() for _ in range(3))
        print(
            f"× {times:2}: an epoch {seconds:.2f} s, {seconds / times:.3f} s for the posts of × 1; "
            f"data {held / 1e6:,.0f} MB, memory that more epochs added {peak() - before:,.0f} MB"
        )


def peak() -> float:
    """The most memory that this process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def convergence(training: TrainingConfig, posts: int) -> None:
    """All eight models, stopped on validation posts, and where the time goes; FM-IC-OD with small batches too."""
    data, features = made_up(posts * 5 // 4)
    assignments = data.explode("tags").rename({"tags": "tag"})
    fitted, validation = split(assignments, data, LeaveShare(test_share=0.2), np.random.default_rng(0))
    tags = sorted(fitted["tags"].explode().unique())
    patient = training.model_copy(update={"learning_rate": 0.1, "epochs": 200, "patience": 3, "curve_every": 5})

    def converge(kind: str, feature_set: str, settings: TrainingConfig) -> float:
        known = Features(features.photos, {k: m for k, m in features.matrices.items() if k in feature_set})
        config = FactorisationConfig(kind=kind, features=feature_set)
        start = time.perf_counter()
        (trained,) = train(config, [settings], fitted, tags, known, 0, CPU, validation)
        seconds = time.perf_counter() - start
        parts = Bench(settings, fitted, features, kind, feature_set).parts()
        print(row(f"{kind} {feature_set}", settings, trained, seconds, parts), flush=True)
        return seconds

    total = sum(converge(kind, feature_set, patient) for kind in ("fm", "pitf") for feature_set in FEATURE_SETS)
    print(f"all eight: {total:.0f} s")
    converge("fm", "image+objects", patient.model_copy(update={"batch": 256}))


def row(name: str, settings: TrainingConfig, trained: Trained, seconds: float, parts: dict[str, float]) -> str:
    """A line of the table of convergence."""
    epochs = sum(parts.values()) * trained.epochs
    shares = ", ".join(f"{part} {second * trained.epochs / seconds:.0%}" for part, second in parts.items())
    return (
        f"{name:18} batch {settings.batch:4}, {seconds:5.0f} s, {trained.epochs} epochs, "
        f"validation F1@5 {trained.score:.3f}; "
        f"{shares}, the rest (reading in, measuring) {1 - epochs / seconds:.0%}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", type=Path, help="the peers' python")
    parser.add_argument("--posts", type=int, default=76842)
    parser.add_argument("--batch", type=int, default=1024)
    everything = ["fm", "fm-ic-od", "growth", "convergence"]
    parser.add_argument("--only", nargs="+", choices=everything, default=everything)
    arguments = parser.parse_args()
    main(arguments.peers, arguments.posts, arguments.batch, arguments.only)
