"""Successive halving: its plan, and searches that end early with settings that cannot win."""

import numpy as np
import pytest

from pipeline.training.bpr.train import train
from pipeline.training.bpr.trainer import BPRTrainer, device, epochs_until_compared, settings_of
from pipeline.training.bpr.training_run import TrainingRun
from pipeline.training.config import TuningConfig
from pipeline.training.rungs import Rung, rungs
from pipeline.training.task import TrainingTask
from pipeline.training.tune import tune
from tests.support.checkerboard import FACTORISATIONS, TRAINING, checkerboard, config

LONG = TRAINING.model_copy(update={"epochs": 18, "curve_every": 2})
GRID = {
    "learning_rate": [1e-5, 1e-4, 0.1],
    "negatives": [{"kind": "uniform"}, {"kind": "adaptive", "mean_rank": 0.2}],
}


@pytest.fixture
def compared_at_once(monkeypatch):
    """Combinations are compared from the first point of the curve on, as on many posts."""
    monkeypatch.setattr("pipeline.training.bpr.trainer.STEPS_UNTIL_COMPARED", 1)


def search(eliminate, grid=GRID, work=None):
    posts, new, features = checkerboard()
    tuning = TuningConfig(measure="f1@5", grid=grid, eliminate=eliminate, extend=False, folds=1, refit=True)
    return tune(config(FACTORISATIONS[0]), LONG, tuning, TrainingTask(posts, None, features, 0), [new], work)


@pytest.mark.parametrize(
    ("combinations", "eliminate", "planned"),
    [
        (9, 3, [(9, 15), (3, 45), (1, 300)]),
        (6, 3, [(6, 15), (2, 45), (1, 300)]),
        (4, 3, [(4, 15), (2, 45), (1, 300)]),
        (1, 3, [(1, 300)]),
        (9, 1, [(9, 300)]),
        (8, 2, [(8, 15), (4, 30), (2, 60), (1, 300)]),
        (100, 3, [(100, 15), (34, 45), (12, 135), (4, 300)]),
    ],
)
def test_a_rung_has_a_share_of_the_combinations_and_more_epochs(combinations, eliminate, planned):
    assert rungs(combinations, 300, 15, eliminate) == [Rung(*one) for one in planned]


def test_without_more_epochs_than_the_first_rung_has_all_are_trained_to_the_end():
    assert rungs(6, 300, 300, 3) == [Rung(6, 300)]


@pytest.mark.parametrize(
    ("posts", "epochs"), [(100, 1000), (256, 1000), (257, 500), (5_000, 50), (17_000, 15), (1_000_000, 15)]
)
def test_combinations_are_compared_after_a_thousand_steps_and_three_points_of_the_curve(posts, epochs):
    settings = TRAINING.model_copy(update={"batch": 256, "smoothing": 3, "curve_every": 5})
    assert epochs_until_compared(settings, posts) == epochs


def test_few_posts_are_searched_whole():
    assert not search(3)[1]["stopped"].any()


@pytest.mark.usefixtures("compared_at_once")
def test_combinations_of_both_kinds_of_negatives_are_compared_after_each_rung():
    choice, table = search(3)[:2]
    assert table["stopped"].to_list().count(False) == 1
    assert table["epochs"].to_list().count(2) == 4
    everything = search(1)[1]
    assert not everything["stopped"].any()
    full = everything.filter(~table["stopped"])
    assert table.filter("chosen").drop("chosen").equals(full.drop("chosen"))
    assert choice.config.training.epochs == 18


@pytest.mark.usefixtures("compared_at_once")
def test_a_combination_that_trains_on_ends_as_if_nothing_had_paused(tmp_path, monkeypatch):
    """No epoch is run twice, and the held-out model is the one of an uninterrupted training."""
    done = []
    advance = TrainingRun.advance
    monkeypatch.setattr(TrainingRun, "advance", lambda self: done.extend(self.active) or advance(self))
    (choice, table, (model,)), posts = search(3, work=tmp_path), checkerboard()
    assert len(done) == table["epochs"].sum()
    (alone,) = train(choice.config, [settings_of(choice.config)], TrainingTask(*posts, 0), device())
    assert (choice.epoch, choice.score) == (alone.epoch, pytest.approx(alone.score))
    for name, tensor in model.tensors.items():
        np.testing.assert_allclose(tensor, alone.model.tensors[name], rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("compared_at_once")
def test_a_search_that_is_killed_in_a_later_rung_ends_the_same(tmp_path, monkeypatch):
    undisturbed = search(3)
    fits = []
    fit = BPRTrainer.advance

    def dying(self, *arguments):
        if fits:
            raise KeyboardInterrupt
        fits.append(arguments)
        return fit(self, *arguments)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(BPRTrainer, "advance", dying)
        search(3, work=tmp_path)
    again = search(3, work=tmp_path)
    assert again[0] == undisturbed[0]
    assert again[1].equals(undisturbed[1])


@pytest.mark.usefixtures("compared_at_once")
def test_different_epochs_are_all_trained():
    assert not search(3, grid={"epochs": [2, 4], "l2": [0.0, 0.1]})[1]["stopped"].any()
