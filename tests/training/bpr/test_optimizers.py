"""Steps by hand, and against torch's own Adagrad, by the compiled loop and by the tensor operations of a GPU."""

import pytest
import torch

from pipeline.training.bpr.gradients import Gradients
from pipeline.training.bpr.loops import gpu
from pipeline.training.bpr.optimizers import Optimizer

RATE, L2 = torch.tensor([0.5]), torch.tensor([0.0])


pytestmark = pytest.mark.usefixtures("inner_loops")


@pytest.fixture(autouse=True, params=[0, 4], ids=["rows", "table"])
def small(request, monkeypatch):
    """A GPU updates rows by themselves, or whole tables."""
    monkeypatch.setattr(gpu, "DENSE_RATIO", request.param)


def column(*rows: list[float]) -> torch.Tensor:
    """The parameters of one trial, (rows, 1, columns)."""
    return torch.tensor(rows)[:, None]


def gradients(parameters, sums) -> Gradients:
    """Gradients of the parameters, with each row used once."""
    made = Gradients.zeros(parameters)
    add(made, sums)
    return made


def add(made: Gradients, sums) -> None:
    for name, table in sums.items():
        made.sums[name].copy_(table)
        made.occurrences[name].fill_(1.0)


def test_sgd_moves_against_the_gradient_and_clears_it():
    parameters = {"tag": column([1.0, 2.0], [3.0, 4.0])}
    made = gradients(parameters, {"tag": column([2.0, 0.0], [0.0, -4.0])})
    Optimizer("sgd", parameters, made).step({}, RATE, L2)
    assert parameters["tag"][:, 0].tolist() == [[0, 2], [3, 6]]
    assert not made.sums["tag"].any()
    assert not made.occurrences["tag"].any()


def test_each_occurrence_decays():
    parameters = {"tag": column([1.0, 2.0], [3.0, 4.0])}
    made = gradients(parameters, {"tag": column([2.0, 0.0], [0.0, 0.0])})
    made.occurrences["tag"][1] = 3.0
    Optimizer("sgd", parameters, made).step({}, RATE, torch.tensor([0.1]))
    # 1 - 0.5 (2 + 0.1), 2 - 0.5 · 0.1 · 2; 3 - 0.5 · 0.1 · 3 · 3, 4 - 0.5 · 0.1 · 3 · 4
    torch.testing.assert_close(parameters["tag"][:, 0], torch.tensor([[-0.05, 1.9], [2.55, 3.4]]))


def test_each_trial_has_its_own_rate_and_decay():
    parameters = {"tag": torch.ones(1, 2, 1)}
    made = gradients(parameters, {"tag": torch.ones(1, 2, 1)})
    Optimizer("sgd", parameters, made).step({}, torch.tensor([0.5, 0.25]), torch.tensor([0.0, 1.0]))
    assert parameters["tag"].tolist() == [[[0.5], [0.5]]]


def test_a_row_that_repeats_moves_once():
    parameters = {"tag": torch.zeros(1, 1, 1), "user": torch.zeros(3, 1, 1)}
    made = gradients(parameters, {"user": column([2.0], [0.0], [4.0])})
    Optimizer("sgd", parameters, made).step({"user": torch.tensor([2, 0, 2, 2])}, RATE, L2)
    assert parameters["user"][:, 0].tolist() == [[-1], [0], [-2]]
    assert not made.sums["user"].any()


@pytest.mark.parametrize("rows", [{}, {"tag": torch.tensor([4, 0, 1, 3, 2, 0, 4])}])
def test_adagrad_is_torchs(rows):
    generator = torch.Generator().manual_seed(0)
    ours = {"tag": torch.randn(5, 1, 3, generator=generator, dtype=torch.float64)}
    theirs = ours["tag"].clone().requires_grad_()
    reference = torch.optim.Adagrad([theirs], lr=0.5, initial_accumulator_value=1e-10, eps=0)
    made = Gradients.zeros(ours)
    optimizer = Optimizer("adagrad", ours, made)
    for _ in range(4):
        theirs.grad = torch.randn(5, 1, 3, generator=generator, dtype=torch.float64)
        rate = RATE.double(), L2.double()
        add(made, {"tag": theirs.grad})
        optimizer.step(rows, *rate)
        reference.step()
    torch.testing.assert_close(ours["tag"], theirs.detach(), rtol=1e-12, atol=0)


def test_adagrad_leaves_alone_what_has_no_gradient():
    parameters = {"tag": torch.ones(2, 1, 1)}
    made = gradients(parameters, {"tag": column([0.0], [9.0])})
    Optimizer("adagrad", parameters, made).step({}, RATE, L2)
    assert parameters["tag"][:, 0].tolist() == [[1], [0.5]]
