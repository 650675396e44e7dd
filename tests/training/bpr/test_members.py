"""Members: trainings from different starts, whose mean is the model."""

import numpy as np
import pytest
import torch

from pipeline.training.bpr.checkpoint import Checkpoint
from pipeline.training.bpr.train import train
from pipeline.training.bpr.training_run import TrainingRun
from pipeline.training.task import TrainingTask
from tests.support.checkerboard import ADAPTIVE, FACTORISATIONS, HISTORY, VARIANTS, checkerboard, config, name

CPU = torch.device("cpu")
TWO = ADAPTIVE.model_copy(update={"members": 2})
MODELS = [FACTORISATIONS[0], FACTORISATIONS[3], FACTORISATIONS[4], FACTORISATIONS[7], HISTORY, *VARIANTS]


def fit(model, settings, validation=None, **options):
    posts, _, features = checkerboard(model)
    (fitted,) = train(config(model), [settings], TrainingTask(posts, validation, features, 3), CPU, **options)
    return fitted


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_a_mean_model_scores_as_its_members_do_on_average(model):
    _, new, features = checkerboard(model)
    members = [fit(model, ADAPTIVE.model_copy(update={"sigma": sigma})).model for sigma in (0.1, 0.2, 0.5)]
    mean = members[0].mean(members)
    expected = np.mean([member.scores(new, features) for member in members], axis=0)
    np.testing.assert_allclose(mean.scores(new, features), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(sum(mean.parts(new, features).values()), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_the_first_member_is_the_model_of_one_and_the_second_another(model):
    tables, k = fit(model, TWO).model.tensors, TWO.factors
    alone = fit(model, ADAPTIVE).model.tensors
    user = config(model).user_contexts[0]
    first, second = (np.sqrt(2) * tables[user][:, columns] for columns in (slice(k), slice(k, None)))
    np.testing.assert_allclose(first, alone[user], rtol=1e-3, atol=1e-5)
    assert np.abs(second - first).max() > 0.01


def test_settings_are_measured_with_one_member():
    _, new, _ = checkerboard()
    one, two = (fit(FACTORISATIONS[0], settings, new) for settings in (ADAPTIVE, TWO))
    assert one.curve.equals(two.curve)
    assert all((two.model.tensors[table] == values).all() for table, values in one.model.tensors.items())


def test_members_that_were_killed_end_as_if_they_had_run_through(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "killed.safetensors", seconds=0)
    advance = TrainingRun.advance

    def dying(self):
        if self.epoch == 3:
            raise KeyboardInterrupt
        advance(self)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(TrainingRun, "advance", dying)
        fit(FACTORISATIONS[0], TWO, checkpoints=[checkpoint])
    resumed = fit(FACTORISATIONS[0], TWO, checkpoints=[checkpoint])
    through = fit(FACTORISATIONS[0], TWO)
    assert resumed.curve.equals(through.curve)
    assert all((resumed.model.tensors[table] == values).all() for table, values in through.model.tensors.items())


def test_a_member_that_diverges_is_the_models_failure():
    assert fit(FACTORISATIONS[0], TWO.model_copy(update={"sigma": 1e30})).failure
