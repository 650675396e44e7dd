"""Products in halves: the same bytes with one thread and with two, and torch's own threads put back."""

import numpy as np
import pytest
import torch

from pipeline.training.bpr import threads as module
from pipeline.training.bpr.threads import ahead, in_halves, one_thread
from pipeline.training.bpr.train import train
from pipeline.training.task import TrainingTask
from tests.support.checkerboard import (
    ADAPTIVE,
    BOTH,
    FACTORISATIONS,
    INTERACTIONS,
    SHORT,
    checkerboard,
    config,
    name,
    settings,
)


@pytest.fixture(params=[1, 2, 3])
def given(request):
    """So many threads, for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_torch_has_one_thread_within_and_its_own_after(given):
    with pytest.raises(KeyError), one_thread():
        assert torch.get_num_threads() == 1
        raise KeyError
    assert torch.get_num_threads() == given


@pytest.mark.parametrize("size", [1, 2, 7, 100])
@pytest.mark.parametrize("work", [module.LEAST_WORK - 1, module.LEAST_WORK])
def test_halves_meet_every_number_once(given, size, work):  # noqa: ARG001
    counts = np.zeros(size, np.int64)
    calls = []

    def count(low: int, high: int) -> None:
        calls.append((low, high))
        counts[low:high] += 1

    with one_thread():
        in_halves(count, size, work)
    assert (counts == 1).all()
    assert len(calls) == (2 if size > 1 and work == module.LEAST_WORK else 1)


def test_an_error_in_either_half_is_not_lost(given):  # noqa: ARG001
    for wrong in (50, 100):

        def fail(low: int, high: int) -> None:  # noqa: ARG001
            if high == wrong:  # noqa: B023 (called at once)
                raise ValueError("lost")

        with one_thread(), pytest.raises(ValueError, match="lost"):
            in_halves(fail, 100, module.LEAST_WORK)


def test_reading_ahead_changes_nothing_and_loses_no_error(given):  # noqa: ARG001
    def items():
        yield from range(5)
        raise KeyError

    met = []
    with one_thread(), pytest.raises(KeyError):
        for item in ahead(items()):
            met.append(item)
    assert met == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("model", "base"),
    [
        (FACTORISATIONS[0], SHORT),
        *((model, ADAPTIVE) for model in (FACTORISATIONS[3], FACTORISATIONS[7], BOTH, *INTERACTIONS)),
    ],
    ids=lambda choice: name(choice) if isinstance(choice, dict) else choice.negatives.kind,
)
def test_the_bytes_do_not_depend_on_the_threads(monkeypatch, model, base):
    monkeypatch.setattr(module, "LEAST_WORK", 1)
    posts, new, features = checkerboard(model)
    found = []
    before = torch.get_num_threads()
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        tried = settings(base, l2=[0.0, 0.1])
        found.append(train(config(model), tried, TrainingTask(posts, new, features, 0), torch.device("cpu")))
    torch.set_num_threads(before)
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            assert one.curve.equals(other.curve)
            for table, values in one.model.tensors.items():
                np.testing.assert_array_equal(values, other.model.tensors[table])
