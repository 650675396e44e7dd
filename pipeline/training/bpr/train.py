"""Learning BPR (Section 4.5, Algorithm 1) in mini-batches of posts."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numba
import numpy as np
import polars as pl
import torch
from torch import Tensor

from pipeline.data.schema import PHOTO, TAG, USER
from pipeline.data.vocabulary import vocabulary
from pipeline.features.store import Features
from pipeline.models import factorisation
from pipeline.models.factorisation import BIAS, Contexts, Factorisation, FactorisationConfig
from pipeline.models.model import FittedExtractor
from pipeline.models.settings import TrainingConfig, TrainingOverrides
from pipeline.progress import track
from pipeline.training.bpr.checkpoint import Checkpoint
from pipeline.training.bpr.data import TrainingPosts
from pipeline.training.bpr.negatives import AdaptiveSampler
from pipeline.training.bpr.threads import one_thread
from pipeline.training.bpr.trials import Stack, Trial
from pipeline.training.bpr.validation import Judge
from pipeline.training.config import CURVE, shared_settings

SAMPLE = 500
"""Training posts whose suggestions give the curve's F1."""


@dataclass(frozen=True)
class Trained:
    """What came of one trial.

    model: with the parameters that validated best, or the last ones where nothing was validated; None when it
    diverged. curve: epoch, loss (mean −ln σ(ŷ') of the epoch's quadruples), auc (the share of them ranked right), f1@5
    (on a fixed sample of training posts), validation_f1@5 (null without validation posts). epoch: the one whose
    parameters the model has, or in which training diverged; epochs: how many were run. score: F1@5 on the validation
    posts, smoothed as the settings say, None without.
    """

    settings: TrainingConfig
    model: Factorisation | None
    curve: pl.DataFrame
    epoch: int
    epochs: int
    score: float | None


def train(
    config: FactorisationConfig,
    settings: Sequence[TrainingConfig],
    posts: pl.DataFrame,
    tags: list[str],
    features: Features,
    seed: int,
    device: torch.device,
    validation: pl.DataFrame | None = None,
    checkpoint: Checkpoint | None = None,
) -> list[Trained]:
    """Trains a model to rank `tags` with each of some settings, on posts of which each has a tag and lacks one.

    posts, validation: columns user, photo, tags. The settings are trials side by side, which share the order of posts,
    the draws and the start: they may differ in learning rate, decay, L2 and σ alone (ValueError). A trial stops when
    its patience ends, or when its numbers are no longer finite. A run that was killed goes on from `checkpoint` and
    ends as it would have.
    """
    first = settings[0]
    if len({shared_settings(trial) for trial in settings}) > 1:
        raise ValueError("trials side by side differ in a setting that they must share")
    widths = {name: matrix.shape[1] for name, matrix in features.matrices.items()}
    extractors = FittedExtractor.of(features)
    contexts, features = joined(Contexts.of(config, extractors, first.factors), features)
    names = {USER: vocabulary(posts[USER]), TAG: tags}
    if PHOTO in contexts.names:
        names[PHOTO] = vocabulary(posts[PHOTO])
    data = TrainingPosts.encode(posts, contexts, names, features, device)
    sampler = AdaptiveSampler(first.negatives, data) if first.negatives.kind == "adaptive" else None

    def judge(judged: pl.DataFrame | None) -> Judge | None:
        return None if judged is None else Judge.encode(judged, contexts, names, data.features, features, device)

    judges = judge(posts.sample(min(SAMPLE, len(posts)), seed=seed)), judge(validation)
    trials = [Trial(trial) for trial in settings]
    stack = Stack.start(contexts, settings, shapes(contexts, names, features), seed, device)
    order, draws = torch.Generator().manual_seed(seed), torch.Generator(device).manual_seed(seed)
    state = State(trials, list(range(len(trials))), stack, {}, order, draws, 0)
    key = ""
    if checkpoint is not None:
        key = fingerprint(config, settings, seed, device, names, data, judges[1])
        state.resume(checkpoint, key)

    epochs = range(state.epoch + 1, first.epochs + 1)
    with one_thread():
        for epoch in track(epochs, "training", first.epochs, "epochs", done=state.epoch):
            if not state.active:
                break
            state.advance(epoch, data, sampler, judges)
            if checkpoint is not None and (checkpoint.due() or not state.active):
                state.save(checkpoint, key)
    saved = [config.model_copy(update={"training": TrainingOverrides(**dict(trial))}) for trial in settings]
    return [
        Trained(
            settings=trial.settings,
            model=None
            if trial.failed
            else Factorisation(saved[place], names, arrays(state.kept[place], widths), extractors),
            curve=pl.DataFrame(trial.curve, schema=CURVE, orient="row"),
            epoch=trial.failed or trial.best,
            epochs=trial.failed or trial.epochs,
            score=None if trial.failed else trial.score,
        )
        for place, trial in enumerate(trials)
    ]


@dataclass
class State:
    """Training after some epoch.

    active: the trials that go on, in the order of the stack; kept: the parameters that are best so far, by trial.
    """

    trials: list[Trial]
    active: list[int]
    stack: Stack
    kept: dict[int, dict[str, Tensor]]
    order: torch.Generator
    draws: torch.Generator
    epoch: int

    def advance(
        self, epoch: int, data: TrainingPosts, sampler: AdaptiveSampler | None, judges: tuple[Judge, Judge | None]
    ) -> None:
        """One more epoch for the active trials; at a point of the curve they are measured, and some may end."""
        loss, auc = self.stack.epoch(epoch, data, sampler, self.order, self.draws)
        self.epoch = epoch
        every, last = self.stack.settings[0].curve_every, epoch == self.stack.settings[0].epochs
        due = epoch % every == 0 or last
        sound = self.stack.finite() if due else [True] * len(self.active)
        ended = set()
        for place, number in enumerate(self.active):
            if not (np.isfinite(loss[place]) and sound[place]):
                self.trials[number].failed = epoch
                ended.add(place)
        if due:
            f1, validated = (judge and judge.f1(self.stack.contexts, self.stack.parameters) for judge in judges)
            for place, number in enumerate(self.active):
                trial = self.trials[number]
                if place in ended:
                    continue
                trial.curve.append([epoch, loss[place], auc[place], f1[place], validated and validated[place]])
                score = validated and trial.smoothed(last)
                better = score is not None and (trial.score is None or score > trial.score)
                if better or (score is None and last):
                    trial.best, trial.score, trial.since = epoch, score, 0
                    self.kept[number] = self.stack.trial(place)
                elif score is not None:
                    trial.since += 1
                if trial.exhausted() or last:
                    ended.add(place)
        for place in ended:
            self.trials[self.active[place]].epochs = epoch
        if ended:
            left = [place for place in range(len(self.active)) if place not in ended]
            self.active = [self.active[place] for place in left]
            if left:
                self.stack = self.stack.keep(left)

    def save(self, checkpoint: Checkpoint, key: str) -> None:
        """Writes all that is needed to go on, or to have done with it."""
        tensors = {}
        if self.active:
            tensors |= {f"parameters.{name}": tensor for name, tensor in self.stack.parameters.items()}
            tensors |= {f"states.{name}": tensor for name, tensor in self.stack.optimizer.states.items()}
        for number, kept in self.kept.items():
            tensors |= {f"kept{number}.{name}": tensor for name, tensor in kept.items()}
        tensors |= {"order": self.order.get_state(), "draws": self.draws.get_state()}
        notes = {"epoch": self.epoch, "active": self.active, "trials": [trial.notes() for trial in self.trials]}
        checkpoint.save(key, {name: tensor.cpu().contiguous().numpy() for name, tensor in tensors.items()}, notes)

    def resume(self, checkpoint: Checkpoint, key: str) -> None:
        """Takes up what was saved of this very run, if anything was."""
        found = checkpoint.load(key)
        if found is None:
            return
        saved, notes = found
        tensors = {name: torch.from_numpy(array) for name, array in saved.items()}

        def group(prefix: str) -> dict[str, Tensor]:
            parts = {
                name.removeprefix(f"{prefix}."): tensor
                for name, tensor in tensors.items()
                if name.startswith(f"{prefix}.")
            }
            return {name: tensor.to(self.stack.device) for name, tensor in parts.items()}

        for trial, values in zip(self.trials, notes["trials"], strict=True):
            vars(trial).update(values)
        self.epoch, self.active = notes["epoch"], notes["active"]
        self.kept = {number: kept for number in range(len(self.trials)) if (kept := group(f"kept{number}"))}
        if self.active:
            settings = [self.trials[number].settings for number in self.active]
            self.stack = Stack(self.stack.contexts, settings, group("parameters"), group("states"))
        self.order.set_state(tensors["order"])
        self.draws.set_state(tensors["draws"])


def joined(contexts: Contexts, features: Features) -> tuple[Contexts, Features]:
    """The same with kinds of features that meet the same columns side by side: one product is quicker than two."""
    kinds = [name for name in contexts.names if name in features.matrices]
    if not contexts.shared or len(kinds) < 2:
        return contexts, features
    both = np.concatenate([features.matrices[kind] for kind in kinds], axis=1)
    others = [name for name in contexts.names if name not in kinds]
    name = "+".join(kinds)
    return replace(contexts, names=(*others, name)), Features(features.photos, {name: both})


def shapes(contexts: Contexts, names: Mapping[str, list[str]], features: Features) -> dict[str, tuple[int, int]]:
    """The rows and columns of a model's parameters."""
    inputs = {name: matrix.shape[1] for name, matrix in features.matrices.items()}
    rows = inputs | {name: len(values) for name, values in names.items()}
    sizes = {name: (rows[name], contexts.factors) for name in contexts.names} | {TAG: (rows[TAG], contexts.width)}
    return sizes | ({BIAS: (rows[TAG], 1)} if contexts.biased else {})


def arrays(parameters: Mapping[str, Tensor], widths: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The parameters as numpy arrays, the bias as (T,), and what `joined` put side by side each by itself."""
    found = {}
    for name, parameter in parameters.items():
        table = parameter.cpu().numpy()
        if name in ("user", "photo", "tag", "bias"):
            found[name] = table[:, 0] if name == "bias" else table
            continue
        kinds = name.split("+")
        parts = np.split(table, np.cumsum([widths[kind] for kind in kinds])[:-1])
        found |= {kind: np.ascontiguousarray(part) for kind, part in zip(kinds, parts, strict=True)}
    return found


def fingerprint(
    config: FactorisationConfig,
    settings: Sequence[TrainingConfig],
    seed: int,
    device: torch.device,
    names: Mapping[str, list[str]],
    data: TrainingPosts,
    validation: Judge | None,
) -> str:
    """The key of a checkpoint: all that decides what training comes to, its code and its libraries among it."""
    digest = hashlib.sha256()
    told = [config.model_dump_json(), *(trial.model_dump_json() for trial in settings), seed, device]
    libraries = [library.__version__ for library in (torch, np, numba, pl)]
    for part in (*told, *libraries, *names.values()):
        digest.update(repr(part).encode())
    code = Path(__file__).parent.rglob("*.py")
    for file in (*sorted(code), Path(factorisation.__file__)):
        digest.update(file.read_bytes())
    judged = [] if validation is None else [*validation.entities.values(), validation.rows, validation.sizes]
    judged += [] if validation is None else [validation.post, validation.tag]
    for tensor in (*data.entities.values(), *data.features.values(), data.rows, data.counts, data.tags, *judged):
        digest.update(tensor.cpu().numpy())
    return digest.hexdigest()
