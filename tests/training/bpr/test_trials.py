"""Trials side by side, early stopping, and training that is taken up again after it was killed."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from pipeline.evaluation.curves import metrics
from pipeline.evaluation.metrics.measure import Measure
from pipeline.evaluation.ranking import rank
from pipeline.training.bpr.checkpoint import Checkpoint
from pipeline.training.bpr.layout import Layout
from pipeline.training.bpr.loops import cpu
from pipeline.training.bpr.train import train
from pipeline.training.bpr.training_run import TrainingRun
from pipeline.training.bpr.validation import ValidationSet
from pipeline.training.task import Fitted, TrainingTask
from tests.support.checkerboard import (
    ADAPTIVE,
    FACTORISATIONS,
    HISTORY,
    SHORT,
    SOFTMAX,
    TRAINING,
    VARIANTS,
    WARP,
    checkerboard,
    config,
    name,
    noise,
    settings,
)

CPU = torch.device("cpu")


@pytest.mark.usefixtures("inner_loops")
@pytest.mark.parametrize("base", [SHORT, ADAPTIVE, SOFTMAX, WARP], ids=["uniform", "adaptive", "softmax", "warp"])
@pytest.mark.parametrize("model", [*FACTORISATIONS, HISTORY, *VARIANTS], ids=name)
def test_trials_side_by_side_come_to_what_each_comes_to_alone(model, base):
    posts, new, features = checkerboard(model)
    tried = [*settings(base, learning_rate=[0.01, 0.1]), *settings(base, l2=[0.0, 0.05]), *settings(base, decay=[0.7])]
    together = train(config(model), tried, TrainingTask(posts, new, features, 3), CPU)
    for trial, one in zip(together, tried, strict=True):
        (alone,) = train(config(model), [one], TrainingTask(posts, new, features, 3), CPU)
        assert trial.epoch == alone.epoch
        for table, values in alone.model.tensors.items():
            np.testing.assert_allclose(trial.model.tensors[table], values, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(trial.curve["loss"], alone.curve["loss"], rtol=1e-4)


def test_features_side_by_side_are_learnt_as_each_by_itself(monkeypatch):
    posts, _, features = checkerboard(FACTORISATIONS[3])
    both = config(FACTORISATIONS[3])
    (together,) = train(both, [SHORT], TrainingTask(posts, None, features, 0), CPU)

    def each_by_itself(contexts, names, features):
        return Layout(contexts, names, {name: {name: matrix.shape[1]} for name, matrix in features.matrices.items()})

    monkeypatch.setattr(Layout, "of", each_by_itself)
    (apart,) = train(both, [SHORT], TrainingTask(posts, None, features, 0), CPU)
    assert {name: table.shape for name, table in together.model.tensors.items()} == {
        name: table.shape for name, table in apart.model.tensors.items()
    }
    np.testing.assert_allclose(together.curve["loss"], apart.curve["loss"], rtol=0.05)


def test_trials_share_what_cannot_differ():
    posts, _, features = checkerboard()
    with pytest.raises(ValueError, match="must share"):
        train(config(FACTORISATIONS[0]), settings(SHORT, batch=[4, 8]), TrainingTask(posts, None, features, 0), CPU)


@pytest.mark.parametrize("measure", ["f1@5", "ndcg@10", "hit_rate@1"])
@pytest.mark.parametrize("model", [*FACTORISATIONS, HISTORY, *VARIANTS], ids=name)
def test_what_training_measures_is_what_evaluation_does(monkeypatch, inner_loops, model, measure):
    monkeypatch.setattr("pipeline.training.bpr.validation.POSTS_PER_CHUNK", 7)
    monkeypatch.setattr(inner_loops, "best", cpu.best)  # A GPU leaves open which of equals comes first.
    posts, new, features = checkerboard(model)
    strangers = new.with_columns(
        user=pl.when(pl.col("user") < "u04").then(pl.lit("nobody")).otherwise("user"),
        tags=pl.col("tags").list.concat(pl.lit("unheard of")),
    )
    task = TrainingTask(posts, strangers, features, 0, Measure.parse(measure))
    (trained,) = train(config(model), [SHORT], task, CPU)
    assert trained.score == trained.curve[f"validation_{measure}"].max() > 0
    until_best = SHORT.model_copy(update={"epochs": trained.epoch})
    (best,) = train(config(model), [until_best], TrainingTask(posts, None, features, 0), CPU)
    assert trained.unsmoothed == task.score(trained.model)
    # In training, unlike in evaluation, a post is left out of its own history.
    learnt = [(posts, measure)] if "fading" not in model else []
    for of, column in ((strangers, f"validation_{measure}"), *learnt):
        expected = metrics(rank(best.model, of, features))[measure]
        found = trained.curve.filter(pl.col("epoch") == trained.epoch)[column].item()
        assert found == pytest.approx(expected, abs=1e-9)


class Scripted:
    """A validation set whose scores are known beforehand: for each of its points, one number a trial."""

    def __init__(self, *points):
        self.points = list(points)

    def scores(self, contexts, parameters):  # noqa: ARG002 (as a validation set's)
        return self.points.pop(0)[: parameters["tag"].shape[1]]


def scripted(monkeypatch, *points):
    """Gives the validation posts these scores; the sample of training posts is measured as ever."""
    encode = ValidationSet.encode

    def scripted_or_encoded(posts, encoder, measure):
        return Scripted(*points) if len(posts) == 12 else encode(posts, encoder, measure)

    monkeypatch.setattr(ValidationSet, "encode", scripted_or_encoded)


def test_training_stops_when_patience_ends_and_keeps_what_was_best(monkeypatch):
    posts, new, features = checkerboard()
    patient = TRAINING.model_copy(update={"epochs": 40, "curve_every": 1, "patience": 3})
    scripted(monkeypatch, [0.1], [0.3], [0.2], [0.3], [0.1], [0.9])
    (trained,) = train(config(FACTORISATIONS[0]), [patient], TrainingTask(posts, new, features, 0), CPU)
    assert (trained.epoch, trained.score) == (2, 0.3)
    assert trained.curve["epoch"].to_list() == [1, 2, 3, 4, 5]
    two = TRAINING.model_copy(update={"epochs": 2, "curve_every": 1})
    (alone,) = train(config(FACTORISATIONS[0]), [two], TrainingTask(posts, None, features, 0), CPU)
    np.testing.assert_array_equal(trained.model.tensors["tag"], alone.model.tensors["tag"])


def test_a_lucky_point_does_not_count_when_points_are_averaged(monkeypatch):
    posts, new, features = checkerboard()
    smooth = TRAINING.model_copy(update={"epochs": 6, "curve_every": 1, "smoothing": 3})
    scripted(monkeypatch, [0.0], [0.8], [0.1], [0.3], [0.5], [0.5])
    (trained,) = train(config(FACTORISATIONS[0]), [smooth], TrainingTask(posts, new, features, 0), CPU)
    # Means of three, from the third point on: 0.3, 0.4, 0.3, 1.3 / 3.
    assert (trained.epoch, trained.score) == (6, pytest.approx(1.3 / 3))
    assert trained.curve["validation_f1@5"].to_list() == [0.0, 0.8, 0.1, 0.3, 0.5, 0.5]


def test_fewer_points_than_are_averaged_leave_the_last(monkeypatch):
    posts, new, features = checkerboard()
    smooth = TRAINING.model_copy(update={"epochs": 2, "curve_every": 1, "smoothing": 3})
    scripted(monkeypatch, [0.8], [0.1])
    (trained,) = train(config(FACTORISATIONS[0]), [smooth], TrainingTask(posts, new, features, 0), CPU)
    assert (trained.epoch, trained.score) == (2, pytest.approx(0.45))


def test_without_validation_posts_patience_never_ends():
    posts, _, features = checkerboard()
    patient = TRAINING.model_copy(update={"epochs": 9, "curve_every": 2, "patience": 1})
    (trained,) = train(config(FACTORISATIONS[0]), [patient], TrainingTask(posts, None, features, 0), CPU)
    assert trained.curve["epoch"].to_list() == [2, 4, 6, 8, 9]
    assert (trained.epoch, trained.score) == (9, None)


def test_a_trial_that_ended_leaves_the_others_alone(monkeypatch):
    posts, new, features = checkerboard(FACTORISATIONS[3])
    patient = TRAINING.model_copy(update={"epochs": 4, "curve_every": 1, "patience": 1})
    scripted(monkeypatch, [0.5, 0.1], [0.4, 0.2], [0.3], [0.4])
    first, second = train(
        config(FACTORISATIONS[3]),
        settings(patient, learning_rate=[0.05, 0.1]),
        TrainingTask(posts, new, features, 0),
        CPU,
    )
    assert (first.epoch, second.epoch) == (1, 4)
    assert second.curve["epoch"].to_list() == [1, 2, 3, 4]
    plain = TRAINING.model_copy(update={"epochs": 4, "learning_rate": 0.1})
    (alone,) = train(config(FACTORISATIONS[3]), [plain], TrainingTask(posts, None, features, 0), CPU)
    np.testing.assert_allclose(second.model.tensors["tag"], alone.model.tensors["tag"], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("base", [SHORT, ADAPTIVE, SOFTMAX, WARP], ids=["uniform", "adaptive", "softmax", "warp"])
def test_a_trial_that_diverges_leaves_the_others_alone(base):
    posts, _, features = checkerboard(FACTORISATIONS[3])
    wild = base.model_copy(update={"optimizer": "sgd"})
    first, second = train(
        config(FACTORISATIONS[3]),
        settings(wild, learning_rate=[1e9, 0.05]),
        TrainingTask(posts, None, features, 0),
        CPU,
    )
    assert first.model is None
    assert first.curve.is_empty()
    (alone,) = train(
        config(FACTORISATIONS[3]), settings(wild, learning_rate=[0.05]), TrainingTask(posts, None, features, 0), CPU
    )
    np.testing.assert_allclose(second.model.tensors["tag"], alone.model.tensors["tag"], rtol=1e-3, atol=1e-5)


class Killed(Exception):
    """Stands for kill -9."""


def killed_after(monkeypatch, epochs: int):
    """Training that dies in the epoch after."""
    advance = TrainingRun.advance

    def dying(self):
        if self.epoch == epochs:
            raise Killed
        advance(self)

    monkeypatch.setattr(TrainingRun, "advance", dying)


@pytest.mark.parametrize("base", [SHORT, ADAPTIVE, SHORT.model_copy(update={"optimizer": "sgd"})])
@pytest.mark.parametrize("model", [FACTORISATIONS[0], FACTORISATIONS[7], HISTORY, *VARIANTS], ids=name)
@pytest.mark.parametrize("epochs", [1, 4, 5])
def test_killed_training_goes_on_to_the_same_bytes(tmp_path, monkeypatch, model, base, epochs):
    posts, new, features = checkerboard(model)
    tried = settings(base.model_copy(update={"epochs": 8, "patience": 2}), learning_rate=[0.05, 1e-6, 0.2])
    undisturbed = train(config(model), tried, TrainingTask(posts, new, features, 0), CPU)
    file = tmp_path / "checkpoint.safetensors"
    with monkeypatch.context() as patched, pytest.raises(Killed):
        killed_after(patched, epochs)
        train(config(model), tried, TrainingTask(posts, new, features, 0), CPU, [Checkpoint(file, seconds=0)])
    with monkeypatch.context() as patched:
        done = []
        advance = TrainingRun.advance
        patched.setattr(TrainingRun, "advance", lambda self: done.append(self.epoch) or advance(self))
        resumed = train(config(model), tried, TrainingTask(posts, new, features, 0), CPU, [Checkpoint(file, seconds=0)])
    assert done[0] == epochs
    for one, other in zip(undisturbed, resumed, strict=True):
        assert one.curve.equals(other.curve)
        assert (one.epoch, one.score) == (other.epoch, other.score)
        for table, values in one.model.tensors.items():
            np.testing.assert_array_equal(values, other.model.tensors[table])


KILLED = """
import sys
from pathlib import Path
import torch
from pipeline.models.registry import save
from pipeline.training.bpr.checkpoint import Checkpoint
from pipeline.training.bpr.train import train
from pipeline.training.task import TrainingTask
from tests.support.checkerboard import *
posts, new, features = checkerboard(FACTORISATIONS[7])
long = SHORT.model_copy(update={"epochs": 600, "curve_every": 10})
checkpoint = Checkpoint(Path(sys.argv[1]), seconds=0)
task = TrainingTask(posts, new, features, 0)
(trained,) = train(config(FACTORISATIONS[7]), [long], task, torch.device("cpu"), [checkpoint])
save(trained.model, Path(sys.argv[2]))
"""


def written(file: Path) -> int:
    """When a file was written, 0 when it is not there."""
    return file.stat().st_mtime_ns if file.exists() else 0


def test_training_killed_by_the_system_goes_on_to_the_same_bytes(tmp_path):
    def start(checkpoint: str, result: str) -> subprocess.Popen:
        command = [sys.executable, "-c", KILLED, tmp_path / checkpoint, tmp_path / result]
        return subprocess.Popen(command, cwd=Path(__file__).parents[3], env=environment, stderr=subprocess.DEVNULL)

    environment = os.environ | {"PYTHONPATH": "."}
    for _ in range(2):
        before = written(tmp_path / "killed")
        process = start("killed", "again")
        while process.poll() is None and written(tmp_path / "killed") == before:
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert start("killed", "again").wait() == 0
    assert start("undisturbed", "whole").wait() == 0
    assert (tmp_path / "again").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_checkpoint_of_another_run_is_not_used(tmp_path):
    posts, new, features = checkerboard(FACTORISATIONS[1])
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", seconds=0)
    task = TrainingTask(posts, new, features, 0)
    other_features = noise(features.photos.to_list(), ["image"], seed=2)

    def trained(task: TrainingTask, *rest, epochs: int = 6) -> Fitted:
        given = SHORT.model_copy(update={"epochs": epochs})
        (fitted,) = train(config(FACTORISATIONS[1]), [given], task, CPU, *rest)
        return fitted

    trained(replace(task, seed=1), [checkpoint])
    trained(task, [checkpoint], epochs=4)
    trained(replace(task, features=other_features), [checkpoint])
    trained(replace(task, measure=Measure("recall", 3)), [checkpoint])
    found, alone = trained(task, [checkpoint]), trained(task)
    assert found.curve.equals(alone.curve)
    np.testing.assert_array_equal(found.model.tensors["tag"], alone.model.tensors["tag"])


@pytest.mark.gpu
@pytest.mark.parametrize("base", [SHORT, ADAPTIVE, SOFTMAX, WARP], ids=["uniform", "adaptive", "softmax", "warp"])
@pytest.mark.parametrize("model", [FACTORISATIONS[0], FACTORISATIONS[7], HISTORY, *VARIANTS], ids=name)
def test_a_gpu_comes_to_the_same_up_to_rounding(model, base):
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    posts, new, features = checkerboard(model)
    tried = settings(base.model_copy(update={"epochs": 60}), learning_rate=[0.02, 0.05])
    task = TrainingTask(posts, new, features, 0)
    on = {device: train(config(model), tried, task, torch.device(device)) for device in ("cpu", "cuda")}
    # The two draw other numbers, so that only their results are alike.
    for one, other in zip(on["cpu"], on["cuda"], strict=True):
        assert other.score == pytest.approx(one.score, abs=0.1)
        assert other.curve["loss"][-1] == pytest.approx(one.curve["loss"][-1], rel=0.3)
        # Rounding may change the order of two tags of a post.
        assert other.unsmoothed == pytest.approx(task.score(other.model), abs=0.02)
