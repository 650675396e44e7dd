"""Training speed: quadruples a second, next to implicit and LightFM, a search, growth, tags, convergence, and ranking.

    python -m benchmarks.training [--peers PYTHON] [--posts 76842] [--batch 1024] [--rounds 5] [--only fm fm-ic-od …]

The data are made up in the shape of NUS-WIDE-2 (Table 2: 1,999 users, 1,661 tags, 76,842 training posts, 6.7 tags a
post, 592 numbers a photo), with something to learn in them: each user prefers some tags, and each photo shows some of
forty things that its features show and that go with some tags. PYTHON is that of the peers' environment
(benchmarks/peers/README.md); without it the peers are left out. Ours and a peer run in turns, and the median of the
rounds' ratios is printed, because the pace of a machine changes. All models train with the settings of params.yaml
except the batch (by default that of `make nus-wide-2`), on as many threads as torch takes, and so do the peers. Those
draw negatives uniformly: next to them ours do so as well, and have the negatives of params.yaml.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, TypeVar
from unittest.mock import patch

import numpy as np
import polars as pl
import psutil
import torch
from torch import Tensor

from benchmarks.machine import processor
from pipeline.data.schema import USER
from pipeline.evaluation.ranking import rank
from pipeline.features.store import Features
from pipeline.folksonomy.split import split
from pipeline.folksonomy.split_rules import LeaveShare
from pipeline.models.blend import Blend, BlendConfig
from pipeline.models.factorisation import FactorisationConfig
from pipeline.models.settings import TrainingConfig, UniformNegatives
from pipeline.training.bpr import step
from pipeline.training.bpr.data import Generators
from pipeline.training.bpr.threads import one_thread
from pipeline.training.bpr.train import encode, train
from pipeline.training.bpr.training_run import TrainingRun
from pipeline.training.bpr.trials import Trial, TrialParameters
from pipeline.training.task import Fitted, TrainingTask
from project.params import load

T = TypeVar("T")

USERS, TAGS, THINGS = 1999, 1661, 40
MORE_TAGS = 5757
TRIALS = 9
"""The number of trials that a search trains side by side."""
LIKED, SHOWN = 6, 8
"""The numbers of tags that a user prefers, and that go with a thing."""
WIDTHS = {"image": 512, "objects": 80}
FACTORS = 128
EPOCHS = 5
TURN = 4
"""Seconds for which ours and a peer run in turns."""
CPU = torch.device("cpu")
FEATURE_SETS = ("none", "image", "objects", "image+objects")


def main(peers: Path | None, posts: int, batch: int, rounds: int, only: list[str]) -> None:
    """Prints the requested measurements."""
    training = load(Path("params.yaml")).training.model_copy(
        update={"factors": FACTORS, "batch": batch, "balance": 0.0}
    )
    print(processor())
    print(f"{torch.get_num_threads()} threads; {posts:,} posts, {USERS:,} users, {TAGS:,} tags; {batch} posts a batch")
    if {"fm", "fm-ic-od"} & set(only):
        data, features = made_up(posts)
    if "fm" in only:
        compare_with_implicit(training, data, features, peers, rounds)
    if "fm-ic-od" in only:
        compare_with_lightfm(training, data, features, peers, rounds)
    if "search" in only:
        search(training, posts, rounds)
    if "growth" in only:
        growth(training, posts)
    if "tags" in only:
        more_tags(training, posts, rounds)
    if "convergence" in only:
        convergence(training, posts)
    if "ranking" in only:
        ranking(training, posts, rounds)


def made_up(posts: int, seed: int = 0, vocabulary: int = TAGS) -> tuple[pl.DataFrame, Features]:
    """Posts (user, photo, tags) of photos of their own, and the photos' features, scaled as the store scales them.

    vocabulary: the number of tags. More than TAGS leave all posts as they are, except that others take the place of a
    tag in some of its posts.
    """
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, TAGS + 1) ** 0.8
    liked = rng.choice(TAGS, (USERS, LIKED), p=popularity / popularity.sum())
    shown = rng.choice(TAGS, (THINGS, SHOWN), p=popularity / popularity.sum())
    things = rng.integers(0, THINGS, (posts, 2))
    users = rng.integers(0, USERS, posts)
    # Of eight draws half are of the user's tags, half of those of what is seen: 6.7 different ones on average.
    own = np.take_along_axis(liked[users], rng.integers(0, LIKED, (posts, 4)), axis=1)
    seen = np.concatenate([shown[things[:, side], rng.integers(0, SHOWN, (2, posts))].T for side in (0, 1)], axis=1)
    names = np.array([f"t{tag:04}" for tag in range(vocabulary)])
    # The tags t, t + TAGS, t + 2 TAGS, … take turns, as far as there are so many.
    turns = -(-(vocabulary - np.arange(TAGS)) // TAGS)
    drawn = (np.unique(row) for row in np.concatenate([own, seen], axis=1))
    tags = [names[np.sort(row + TAGS * (post % turns[row]))].tolist() for post, row in enumerate(drawn)]
    matrices = {}
    for kind, width in WIDTHS.items():
        looks = rng.standard_normal((THINGS, width), dtype=np.float32)
        matrix = looks[things[:, 0]] + looks[things[:, 1]] + rng.standard_normal((posts, width), dtype=np.float32)
        matrices[kind] = matrix / np.float32(np.sqrt(3 * width))
    photos = pl.Series([f"p{photo:07}" for photo in range(posts)])
    frame = pl.DataFrame({"user": [f"u{user:04}" for user in users], "photo": photos, "tags": tags})
    return frame, Features(photos, matrices)


class Bench:
    """One model on made-up posts, trained an epoch at a time."""

    def __init__(
        self,
        training: TrainingConfig,
        posts: pl.DataFrame,
        features: Features,
        kind: str,
        feature_set: str,
        user_alone: bool = False,
        trials: int = 1,
    ):
        config = FactorisationConfig(kind=kind, features=feature_set)
        known = Features(features.photos, {k: m for k, m in features.matrices.items() if k in feature_set})
        self.settings = training
        layout, data = encode(config, training, TrainingTask(posts, None, known, 0), CPU)
        if user_alone:
            layout = replace(layout, contexts=replace(layout.contexts, names=(USER,)))
            data = replace(data, contexts=layout.contexts)
        self.run = TrainingRun(
            data=data,
            generators=Generators.seeded(0, CPU),
            trials=[Trial(training)] * trials,
            parameters=TrialParameters.start(layout, [training] * trials, 0, CPU),
            active=[*range(trials)],
            epoch=1,
        )

    @property
    def quadruples(self) -> int:
        """The number of quadruples of an epoch."""
        return len(self.run.data.posts.positives.tags)

    def epoch(self) -> float:
        """Seconds of one epoch, as training runs it."""
        with one_thread():
            start = time.perf_counter()
            self.run.pass_over_posts()
            return time.perf_counter() - start

    def parts(self) -> dict[str, float]:
        """Seconds of one epoch's parts; what remains is waiting for batches that are read ahead."""
        places = [
            ("projecting", step, "post_vectors"),
            ("gradients", step, "add_gradients"),
            ("steps", self.run.parameters.optimizer, "step"),
        ]
        if sampler := self.run.data.sampler:
            places += [("hard negatives", sampler, "prepare"), ("hard negatives", sampler, "harden")]
        seconds = {part: 0.0 for part, *_ in places}

        def clocked(part: str, work: Callable[..., T]) -> Callable[..., T]:
            def timed(*arguments: Any) -> T:
                start = time.perf_counter()
                try:
                    return work(*arguments)
                finally:
                    seconds[part] += time.perf_counter() - start

            return timed

        with ExitStack() as patches:
            for part, owner, name in places:
                patches.enter_context(patch.object(owner, name, clocked(part, getattr(owner, name))))
            total = self.epoch()
        return seconds | {"waiting for batches": total - sum(seconds.values())}

    def rate(self, seconds: float = 0) -> float:
        """Quadruples a second: the median of some epochs, for so many seconds at least.

        The first, which compiles and warms up, does not count.
        """
        self.epoch()
        found: list[float] = []
        while len(found) < EPOCHS or sum(found) < seconds:
            found.append(self.epoch())
        return self.quadruples / median(found)

    def products(self) -> float:
        """Seconds of the bare products of an epoch: all features forward once and back once, batch by batch."""
        (inputs,) = (photos.parts[0] for photos in self.run.data.posts.inputs.features.values())
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


@contextmanager
def peer(python: Path, name: str, posts: pl.DataFrame, features: Features) -> Iterator[Callable[[], dict[str, float]]]:
    """A call for what implicit or LightFM reaches on the same posts in one turn."""
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
        threads = str(torch.get_num_threads())

        def turn() -> dict[str, float]:
            command = [python, program, file, "--peers", name, "--threads", threads, "--seconds", str(TURN)]
            return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)[name]

        yield turn


def compare_with_implicit(
    training: TrainingConfig, posts: pl.DataFrame, features: Features, peers: Path | None, rounds: int
) -> None:
    """FM with user factors alone, which is what implicit learns, and the FM of the paper."""
    benches = {}
    for settings in (with_uniform_negatives(training), training):
        way = settings.negatives.kind
        whole, benches[way] = (Bench(settings, posts, features, "fm", "none", alone) for alone in (False, True))
        alone = benches[way].rate() / 1e6
        print(f"FM, {way}: user factors alone {alone:.2f} M quadruples/s, with photos' {whole.rate() / 1e6:.2f} M")
    if peers is None:
        return
    ratios = []
    with peer(peers, "implicit", posts, features) as turn:
        for number in range(rounds):
            ours, theirs = {way: bench.rate(TURN) for way, bench in benches.items()}, turn()
            drawn, learnt = theirs["samples_per_second"], theirs["learned_from_per_second"]
            ratios.append({way: rate / learnt for way, rate in ours.items()})
            rates = ", ".join(f"{way} {rate / 1e6:.2f}" for way, rate in ours.items())
            print(
                f"round {number}: FM {rates} M quadruples/s; implicit {drawn / 1e6:.2f} M samples/s, learning from "
                f"{learnt / 1e6:.2f} M of them"
            )
    middle = {way: median(ratio[way] for ratio in ratios) for way in benches}
    print(f"FM / implicit, median of {rounds}: " + ", ".join(f"{way} {ratio:.2f}" for way, ratio in middle.items()))


def compare_with_lightfm(
    training: TrainingConfig, posts: pl.DataFrame, features: Features, peers: Path | None, rounds: int
) -> None:
    """FM-IC-OD, and the products that it cannot avoid."""
    for settings in (training, with_uniform_negatives(training)):
        bench = Bench(settings, posts, features, "fm", "image+objects")
        ours, way = bench.rate(), settings.negatives.kind
        print(f"FM-IC-OD, {way}: {ours / 1e6:.3f} M quadruples/s, an epoch {bench.quadruples / ours:.2f} s")
        with one_thread():
            alone = bench.products()
        bare, epoch = bench.products(), bench.quadruples / ours
        print(f"its bare products: {bare:.2f} s, {alone:.2f} on one thread; the epoch: {epoch / bare:.2f} times that")
        print("an epoch's parts: " + ", ".join(f"{part} {seconds:.2f} s" for part, seconds in bench.parts().items()))
    if peers is None:
        return
    ratios = []
    with peer(peers, "lightfm", posts, features) as turn:
        for number in range(rounds):
            ours, theirs = bench.rate(TURN), turn()["samples_per_second"]
            ratios.append(ours / theirs)
            print(f"round {number}: FM-IC-OD {ours / 1e6:.3f} M; LightFM, same features {theirs:,.0f} samples/s")
    print(f"FM-IC-OD / LightFM, median of {rounds}: {median(ratios):,.0f}")


def with_uniform_negatives(training: TrainingConfig) -> TrainingConfig:
    """Returns the same settings with the negatives that the peers draw."""
    return training.model_copy(update={"negatives": UniformNegatives(kind="uniform")})


def search(training: TrainingConfig, posts: int, rounds: int) -> None:
    """Times an epoch of a search: nine trials side by side, with uniform negatives and with those of params.yaml."""
    data, features = made_up(posts)
    for settings in (with_uniform_negatives(training), training):
        for kind, feature_set in (("fm", "none"), ("pitf", "none"), ("fm", "image+objects")):
            bench = Bench(settings, data, features, kind, feature_set, trials=TRIALS)
            bench.epoch()
            start = time.process_time()
            seconds = [bench.epoch() for _ in range(rounds)]
            cpu = (time.process_time() - start) / rounds
            name = f"{kind} {feature_set}, {settings.negatives.kind}"
            print(f"{name:28} {TRIALS} trials: an epoch {median(seconds):.2f} s, CPU {cpu:.2f} s", flush=True)


def growth(training: TrainingConfig, posts: int) -> None:
    """An epoch of FM-IC-OD on 1, 4 and 16 times the posts."""
    for times in (1, 4, 16):
        data, features = made_up(posts * times)
        bench = Bench(training, data, features, "fm", "image+objects")
        learnt = bench.run.data.posts
        photos = [part for inputs in learnt.inputs.features.values() for part in inputs.parts]
        held = sum(tensor.nbytes for tensor in (*learnt.tensors(), *photos))
        del data, features
        bench.epoch()
        before = resident()
        seconds = median(bench.epoch() for _ in range(3))
        print(
            f"× {times:2}: an epoch {seconds:.2f} s, {seconds / times:.3f} s for the posts of × 1; "
            f"data {held / 1e6:,.0f} MB, memory that more epochs added {resident() - before:,.0f} MB"
        )


def more_tags(training: TrainingConfig, posts: int, rounds: int) -> None:
    """Epochs of FM and FM-IC-OD for 1,661 tags and for 5,757 in the same posts, in turns.

    Tags that no post has do not count. The least seconds of an epoch and of each part hold even on busy cores.
    """
    (few, features), (many, _) = made_up(posts), made_up(posts, vocabulary=MORE_TAGS)
    for name, feature_set in (("FM", "none"), ("FM-IC-OD", "image+objects")):
        benches = [Bench(training, data, features, "fm", feature_set) for data in (few, many)]
        for bench in benches:
            bench.epoch()
        turns = [[bench.parts() for bench in benches] for _ in range(rounds)]
        for bench, epochs in zip(benches, zip(*turns, strict=True), strict=True):
            tags, least = bench.run.data.posts.positives.vocabulary, min(sum(parts.values()) for parts in epochs)
            print(f"{name}, {tags:,} tags, {bench.quadruples:,} quadruples: an epoch {least:.3f} s at least")
            print("  " + ", ".join(f"{part} {min(parts[part] for parts in epochs):.3f} s" for part in epochs[0]))
        ratio = median(sum(large.values()) / sum(small.values()) for small, large in turns)
        print(f"ratio, median of {rounds}: {ratio:.2f}", flush=True)


def resident() -> float:
    """The memory that this process has, MB."""
    return psutil.Process().memory_info().rss / 1e6


def convergence(training: TrainingConfig, posts: int) -> None:
    """All eight models, stopped on validation posts, and where the time goes; two of them with small batches too."""
    data, features = made_up(posts * 5 // 4)
    assignments = data.explode("tags").rename({"tags": "tag"})
    fitted, validation = split(assignments, data, LeaveShare(test_share=0.2), np.random.default_rng(0))
    patient = training.model_copy(update={"learning_rate": 0.1, "epochs": 2000, "patience": 3, "curve_every": 5})

    def converge(kind: str, feature_set: str, settings: TrainingConfig) -> float:
        known = Features(features.photos, {k: m for k, m in features.matrices.items() if k in feature_set})
        config = FactorisationConfig(kind=kind, features=feature_set)
        start = time.perf_counter()
        (trained,) = train(config, [settings], TrainingTask(fitted, validation, known, 0), CPU)
        seconds = time.perf_counter() - start
        parts = Bench(settings, fitted, features, kind, feature_set).parts()
        print(row(f"{kind} {feature_set}", settings, trained, seconds, parts), flush=True)
        return seconds

    total = sum(converge(kind, feature_set, patient) for kind in ("fm", "pitf") for feature_set in FEATURE_SETS)
    print(f"all eight: {total:.0f} s")
    for feature_set in ("none", "image+objects"):
        converge("fm", feature_set, patient.model_copy(update={"batch": 256}))


def ranking(training: TrainingConfig, posts: int, rounds: int) -> None:
    """Times the ranking of a fifth of the posts by eight models, after an epoch each, and by their blend."""
    data, features = made_up(posts)
    ranked = data.sample(fraction=0.2, seed=0)
    brief = training.model_copy(update={"epochs": 1, "members": 1})
    models = {}
    for kind, feature_set in product(("fm", "pitf"), FEATURE_SETS):
        known = Features(features.photos, {k: m for k, m in features.matrices.items() if k in feature_set})
        task = TrainingTask(data, None, known, 0).leaving_out(ranked)
        config = FactorisationConfig(kind=kind, features=feature_set)
        (trained,) = train(config, [brief], task, CPU)
        models[f"{kind} {feature_set}"] = trained.model
    blended = BlendConfig(kind="blend", features="image+objects", models=dict.fromkeys(models, 1.0))
    for name, model in (models | {"all eight, blended": Blend.of(blended, models)}).items():
        seconds = []
        for _ in range(rounds):
            start = time.process_time()
            rank(model, ranked, features)
            seconds.append(time.process_time() - start)
        print(f"{name:18} {len(ranked):,} posts ranked in {min(seconds):.2f} CPU seconds at least", flush=True)


def row(name: str, settings: TrainingConfig, trained: Fitted, seconds: float, parts: dict[str, float]) -> str:
    """A line of the table of convergence."""
    whole = sum(parts.values())
    shares = ", ".join(f"{part} {second / whole:.0%}" for part, second in parts.items())
    ended = "the cap" if trained.epochs == settings.epochs else "patience"
    return (
        f"{name:18} batch {settings.batch:4}, {seconds:5.0f} s, {trained.epochs} epochs (ended by {ended}), "
        f"validation F1@5 {trained.score:.3f}; of an epoch: {shares}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", type=Path, help="the peers' python")
    parser.add_argument("--posts", type=int, default=76842)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5, help="turns of ours and a peer (default: %(default)s)")
    everything = ["fm", "fm-ic-od", "search", "growth", "tags", "convergence", "ranking"]
    parser.add_argument("--only", nargs="+", choices=everything, default=everything)
    arguments = parser.parse_args()
    main(arguments.peers, arguments.posts, arguments.batch, arguments.rounds, arguments.only)
