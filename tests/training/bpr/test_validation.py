"""The best five, as a stable sort has them; F1@5 itself is held to the evaluation's in test_trials.py."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.models.ranking import top_tags
from pipeline.training.bpr import loops
from pipeline.training.bpr.loops import gpu
from pipeline.training.bpr.train import encode
from pipeline.training.bpr.trials import TrialParameters
from pipeline.training.bpr.validation import best
from pipeline.training.task import TrainingTask
from tests.support.checkerboard import FACTORISATIONS, SHORT, checkerboard, config
from tests.support.tape import Tape


@given(
    arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 9)), elements=st.integers(-3, 3)),
    st.integers(1, 9),
)
def test_the_best_are_those_of_the_evaluation(scores, length):
    length = min(length, scores.shape[2])
    found = best(torch.from_numpy(scores), length)
    for trial, rows in zip(found, scores, strict=True):
        assert trial.tolist() == top_tags(rows, length).tolist()


@given(st.permutations(range(9)), st.integers(1, 9))
def test_a_gpus_loop_finds_the_same_where_no_two_are_equal(scores, length):
    found = torch.empty(1, length, dtype=torch.int64)
    gpu.best(torch.tensor([scores], dtype=torch.float32), found)
    assert found[0].tolist() == top_tags(np.array([scores], np.float32), length)[0].tolist()


def test_hits_are_marked_without_waiting_for_a_gpu(monkeypatch):
    monkeypatch.setattr(loops, "cpu", gpu)
    posts, new, features = checkerboard(FACTORISATIONS[3])
    cpu = torch.device("cpu")
    layout, data = encode(config(FACTORISATIONS[3]), SHORT, TrainingTask(posts, new, features, 0), cpu)
    parameters = TrialParameters.start(layout, [SHORT], 0, cpu).parameters
    with Tape():
        assert data.validation.hits(data.contexts, parameters, 0).shape == (1, len(new), 5)
