"""The best five, as a stable sort has them; F1@5 itself is held to the evaluation's in test_trials.py."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.models.ranking import top_tags
from pipeline.training.bpr.loops import gpu
from pipeline.training.bpr.validation import best


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
