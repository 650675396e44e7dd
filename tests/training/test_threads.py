"""Sharing loops among threads: every number is met once, and the bytes do not depend on how many threads there are."""

import numpy as np
import pytest
import torch
from test_fit import FACTORISATIONS, checkerboard, config, name
from test_trials import SHORT, settings

from pipeline.training import threads
from pipeline.training.fit import fit_trials
from pipeline.training.threads import shared


@pytest.fixture(params=[1, 2, 3])
def given(request):
    """So many threads, for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_ranges_meet_every_number_once(given, size):
    counts = np.zeros(size, np.int64)
    calls = []

    def loop(low: int, high: int) -> None:
        calls.append((low, high))
        counts[low:high] += 1

    shared(loop, size, threads.WORTH)
    assert (counts == 1).all()
    assert len(calls) <= given


def test_cuts_are_moved_to_where_they_may_be(given):  # noqa: ARG001
    met = []
    shared(lambda low, high: met.append((low, high)), 100, threads.WORTH, cuts=lambda place: place // 40 * 40)
    assert {low for low, _ in met} <= {0, 40}
    assert sum(high - low for low, high in met) == 100


def test_little_work_is_not_shared(given):  # noqa: ARG001
    calls = []
    shared(lambda low, high: calls.append((low, high)), 100, threads.WORTH - 1)
    assert calls == [(0, 100)]


def test_an_error_in_a_thread_is_not_lost(given):  # noqa: ARG001
    def loop(low: int, high: int) -> None:  # noqa: ARG001
        if high == 100:
            raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"):
        shared(loop, 100, threads.WORTH)


@pytest.mark.parametrize("model", [FACTORISATIONS[0], FACTORISATIONS[7]], ids=name)
def test_the_bytes_do_not_depend_on_the_threads(monkeypatch, model):
    monkeypatch.setattr(threads, "WORTH", 1)
    posts, new, features = checkerboard()
    found = []
    before = torch.get_num_threads()
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        tried = settings(SHORT, l2=[0.0, 0.1])
        found.append(fit_trials(config(model), tried, posts, features, 0, new))
    torch.set_num_threads(before)
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            assert one.curve.equals(other.curve)
            for table, values in one.model.tensors.items():
                np.testing.assert_array_equal(values, other.model.tensors[table])
