"""Training on a GPU."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product

from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.bench import ROOT, Bench, Row, seconds
from benchmarks.training import FEATURE_SETS
from pipeline.evaluation.metrics.measure import HEADLINE
from pipeline.features.store import Features
from pipeline.models.factorisation import FactorisationConfig
from pipeline.models.registry import MODELS as MODEL_CLASSES
from pipeline.models.settings import TrainingConfig
from pipeline.training.bpr.data import Generators
from pipeline.training.bpr.step import Step
from pipeline.training.bpr.threads import one_thread
from pipeline.training.bpr.train import encode
from pipeline.training.bpr.training_run import TrainingRun
from pipeline.training.bpr.trials import Trial, TrialParameters
from pipeline.training.task import TrainingTask
from pipeline.training.tune import tune
from project.params import load

MODELS = (("fm", "none"), ("fm", "image+objects"), ("pitf", "image+objects"))
OVER_ALL_TAGS = ("softmax", "warp")
"""The losses that compare all tags, and draw no negatives."""
RATES, DECAYS = (0.01, 0.03, 0.1), (1e-4, 1e-3, 3e-3)
"""α and λ of nine trials."""
LAUNCHES = {"cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cudaGraphLaunch", "cudaMemcpyAsync"}
"""The calls that a profile counts, one an operation or a graph."""


def epochs(bench: Bench) -> list[Row]:
    """Measures epochs of three models in batches of each size, and of one with hard negatives."""
    rows = []
    for (kind, feature_set), batch in product(MODELS, bench.size.batches):
        settings = bench.training.model_copy(update={"batch": batch})
        found = rate_of(begun(bench, kind, feature_set, [settings]), bench.size.rounds)
        first = batch == bench.size.batches[0] and (kind, feature_set) == ("fm", "image+objects")
        rows.append(Row(f"{kind} {feature_set}, {batch:,} posts a batch", found, "≥ 20 M, then 40 M" if first else ""))
    hard = bench.training.model_copy(update={"negatives": load(ROOT / "params.yaml").training.negatives})
    found = rate_of(begun(bench, "fm", "image+objects", [hard]), bench.size.rounds)
    return [*rows, Row(f"fm image+objects with hard negatives, {hard.batch:,} posts a batch", found)]


def losses(bench: Bench) -> list[Row]:
    """Measures epochs of the losses over all tags, and of a model with a history, with CUDA graphs and without."""
    rows = []
    for kind, loss in (*(("fm", loss) for loss in OVER_ALL_TAGS), ("fm-history", "bpr")):
        settings = bench.training.model_copy(update={"loss": loss})
        run = begun(bench, kind, "image+objects", [settings])
        for way in with_and_without_graphs(run):
            found = rate_of(run, bench.size.rounds)
            rows.append(Row(f"{kind} image+objects, {loss}, {settings.batch:,} posts a batch, {way}", found))
    return rows


def trials(bench: Bench) -> list[Row]:
    """Measures epochs of nine trials side by side."""
    rows = []
    for batch in bench.size.batches[:2]:
        tried = [
            bench.training.model_copy(update={"batch": batch, "learning_rate": rate, "l2": decay})
            for rate, decay in product(RATES, DECAYS)
        ]
        found = rate_of(begun(bench, "fm", "image+objects", tried), bench.size.rounds)
        rows.append(Row(f"nine trials of fm image+objects, {batch:,} posts a batch", f"9 × {found}"))
    return rows


def tuning(bench: Bench) -> list[Row]:
    """Times a search of each of the eight models."""
    posts, features = bench.posts
    fold = posts.sample(fraction=0.2, seed=0)
    search = load(ROOT / "params.yaml").tuning.model_copy(update={"grid": {"learning_rate": [*RATES], "l2": [*DECAYS]}})
    rows, total = [], 0.0
    for kind, feature_set in product(("fm", "pitf"), FEATURE_SETS):
        known = Features(features.photos, {name: of for name, of in features.matrices.items() if name in feature_set})
        config = FactorisationConfig(kind=kind, features=feature_set)
        task = TrainingTask(posts, None, known, 0, HEADLINE)
        start = time.perf_counter()
        chosen, _, _ = tune(config, bench.training, search, task, [fold])
        took = time.perf_counter() - start
        total += took
        rows.append(Row(f"tune {kind} {feature_set}", f"{took:.1f} s, F1@5 {chosen.score:.3f}"))
    return [*rows, Row(f"eight models × nine settings, {bench.size.epochs} epochs at most", f"{total:.1f} s", "≤ 60 s")]


def launches(bench: Bench) -> list[Row]:
    """Counts the launches of an epoch, and the seconds of it in which the GPU is busy."""
    if bench.device.type != "cuda":
        return [Row("launches", "none without a GPU")]
    rows, run = [], begun(bench, "fm", "image+objects", [bench.training])
    for way in with_and_without_graphs(run):
        epoch(run)
        took = seconds(partial(epoch, run), bench.size.rounds)
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
            epoch(run)
        events = profiler.key_averages()
        calls = sum(event.count for event in events if event.key in LAUNCHES)
        # What takes no time of the CPU is a kernel or a copy; the calls that launch them repeat their time.
        busy = sum(event.self_device_time_total for event in events if not event.self_cpu_time_total) / 1e6
        rows.append(Row(f"an epoch of FM-IC-OD, {way}", f"{took:.4f} s, {calls:,} launches, GPU busy {busy:.4f} s"))
    return rows


def begun(bench: Bench, kind: str, feature_set: str, tried: Sequence[TrainingConfig]) -> TrainingRun:
    """Begins to train a model with some settings side by side."""
    posts, features = bench.posts
    known = Features(features.photos, {name: of for name, of in features.matrices.items() if name in feature_set})
    fading = {"fading": 0.0} if kind == "fm-history" else {}  # The posts have no times.
    config = MODEL_CLASSES[kind].Config(kind=kind, features=feature_set, **fading)
    layout, data = encode(config, tried[0], TrainingTask(posts, None, known, 0), bench.device)
    return TrainingRun(
        data=data,
        generators=Generators.seeded(0, bench.device),
        trials=[Trial(settings) for settings in tried],
        parameters=TrialParameters.start(layout, tried, 0, bench.device),
        active=[*range(len(tried))],
        epoch=1,
    )


def with_and_without_graphs(run: TrainingRun) -> Iterator[str]:
    """Has a run launch its steps as graphs, if on a GPU, then operation by operation; yields words for each."""
    if run.parameters.gradients.loss.is_cuda:
        yield "a graph a batch"
    run.step = Step(run.data.contexts, run.data.sampler, run.parameters)
    yield "one by one"


def epoch(run: TrainingRun) -> None:
    """Runs an epoch, to its end on the GPU: its losses are copied from there."""
    with one_thread():
        run.pass_over_posts()


def rate_of(run: TrainingRun, rounds: int) -> str:
    """Measures the first epoch, in which steps are captured, and later ones. Returns a phrase."""
    start = time.perf_counter()
    epoch(run)
    first = time.perf_counter() - start
    took = seconds(partial(epoch, run), rounds)
    rate = len(run.data.posts.positives.tags) / took / 1e6
    return f"{rate:.2f} M quadruples/s, an epoch {took:.4f} s, the first {first:.2f} s"
