"""Steps by hand, and against torch's own Adagrad."""

import pytest
import torch

from pipeline.training.config import TrainingConfig
from pipeline.training.optimizers import Adagrad, Sgd

CONFIG = TrainingConfig(
    factors=1, sigma=0.1, optimizer="sgd", learning_rate=0.5, l2=0, epochs=1, batch=1, curve_every=1
)


def test_sgd_moves_against_the_gradient_and_clears_it():
    parameters = {"tag": torch.tensor([[1.0, 2.0], [3.0, 4.0]])}
    gradients = {"tag": torch.tensor([[2.0, 0.0], [0.0, -4.0]])}
    Sgd(CONFIG, parameters).step(gradients, {})
    assert parameters["tag"].tolist() == [[0, 2], [3, 6]]
    assert not gradients["tag"].any()


def test_a_row_that_repeats_moves_once():
    parameters = {"user": torch.zeros(3, 1)}
    gradients = {"user": torch.tensor([[2.0], [0.0], [4.0]])}
    Sgd(CONFIG, parameters).step(gradients, {"user": torch.tensor([2, 0, 2, 2])})
    assert parameters["user"].tolist() == [[-1], [0], [-2]]
    assert not gradients["user"].any()


@pytest.mark.parametrize("touched", [{}, {"tag": torch.tensor([4, 0, 1, 3, 2, 0, 4])}])
def test_adagrad_is_torchs(touched):
    generator = torch.Generator().manual_seed(0)
    ours = {"tag": torch.randn(5, 3, generator=generator, dtype=torch.float64)}
    theirs = ours["tag"].clone().requires_grad_()
    reference = torch.optim.Adagrad([theirs], lr=0.5, initial_accumulator_value=1e-10, eps=0)
    optimizer = Adagrad(CONFIG, ours)
    for _ in range(4):
        theirs.grad = torch.randn(5, 3, generator=generator, dtype=torch.float64)
        optimizer.step({"tag": theirs.grad.clone()}, touched)
        reference.step()
    torch.testing.assert_close(ours["tag"], theirs.detach(), rtol=1e-12, atol=0)


def test_adagrad_leaves_alone_what_has_no_gradient():
    parameters = {"tag": torch.ones(2, 1)}
    Adagrad(CONFIG, parameters).step({"tag": torch.tensor([[0.0], [9.0]])}, {})
    assert parameters["tag"].tolist() == [[1], [0.5]]
