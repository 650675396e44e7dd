"""A step that is captured: the same as without, whatever lies in the room that a batch leaves, on a GPU's loops."""

import logging
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode

from pipeline.models.settings import TrainingConfig
from pipeline.training.bpr import captured, data, loops
from pipeline.training.bpr.captured import CapturedStep, Room, of_posts, room_for_quadruples
from pipeline.training.bpr.data import Batch, Generators, TrainingPosts
from pipeline.training.bpr.loops import gpu
from pipeline.training.bpr.loops.quadruples import Quadruples
from pipeline.training.bpr.negatives import AdaptiveSampler
from pipeline.training.bpr.order import PostOrder
from pipeline.training.bpr.step import Step
from pipeline.training.bpr.train import encode
from pipeline.training.bpr.trials import TrialParameters
from pipeline.training.task import TrainingTask
from tests.support.checkerboard import (
    ADAPTIVE,
    FACTORISATIONS,
    HISTORY,
    INTERACTIONS,
    SHORT,
    SOFTMAX,
    WARP,
    checkerboard,
    config,
    name,
    settings,
)
from tests.support.tape import Tape

CPU, GPU = torch.device("cpu"), torch.device("cuda")
BATCH = 13
"""Posts of a batch: the last one of 120 has 3."""
SGD = SHORT.model_copy(update={"optimizer": "sgd"})
LOSSES = {"bpr": SHORT, "bpr-sgd": SGD, "softmax": SOFTMAX, "warp": WARP}
HISTORIES = [HISTORY, {"kind": "pitf-history", "features": "none", "fading": 0.0}]


@pytest.fixture(autouse=True)
def loops_of_a_gpu(monkeypatch):
    """The inner loops of a GPU, on tensors on the CPU."""
    monkeypatch.setattr(loops, "cpu", gpu)


@pytest.fixture(autouse=True)
def blocks_of_three_batches(monkeypatch):
    """Blocks of which an epoch has four, the last one with a single batch, which is short."""
    monkeypatch.setattr(data, "POSTS_PER_BLOCK", 3 * BATCH)


@pytest.fixture
def tape(monkeypatch):
    """A tape in the place of a CUDA graph; returns those that were captured."""
    tapes = []

    def recorded(work):
        work()
        with Tape() as tape:
            work()
        tapes.append(tape)
        return tape.replay

    monkeypatch.setattr(captured, "Capture", lambda: recorded)
    return tapes


def encoded(model: dict, base: TrainingConfig, device: torch.device = CPU):
    """The layout and the training data of a model; posts have one to three tags, so that batches have more or fewer."""
    posts, _, features = checkerboard(model)
    uneven = posts.with_columns(pl.col("tags").list.head((pl.int_range(pl.len()) + 1) % 3 + 1))
    return encode(config(model), base, TrainingTask(uneven, None, features, 0), device)


def epochs(
    model: dict, tried: list[TrainingConfig], capture, number: int = 2, device: torch.device = CPU
) -> dict[str, np.ndarray]:
    """The parameters of trials, their sums and losses after some epochs of batches of 13 posts."""
    layout, training = encoded(model, tried[0], device)
    parameters, generators = TrialParameters.start(layout, tried, 0, device), Generators.seeded(0, device)
    step = capture(Step(training.contexts, training.sampler, parameters), training.posts)
    for epoch in range(1, number + 1):
        step.begin(epoch)
        for block in training.posts.epoch(BATCH, generators):
            for learn in step.ready(block, generators.draws):
                learn()
    gradients = parameters.gradients
    found = parameters.parameters | {"loss": gradients.loss, "right": gradients.ranked_right}
    found |= {f"{name} sums": table for name, table in gradients.sums.items()}
    return {what: table.cpu().numpy() for what, table in found.items()}


def capture(step: Step, posts) -> CapturedStep:
    return CapturedStep(step, posts.host_counts, BATCH)


def poisoned(step: Step, posts) -> CapturedStep:
    """A captured step in whose room nothing of an earlier block is left, but rows that exist."""

    class Poisoned(CapturedStep):
        def ready(self, block, generator):
            if self.room is not None:
                for tensor in (*of_posts(self.room.batch), *self.room.batch.quadruples):
                    tensor.fill_(7)
            return super().ready(block, generator)

    return Poisoned(step, posts.host_counts, BATCH)


def plain(step: Step, posts) -> Step:  # noqa: ARG001 (as `capture`)
    return step


@pytest.mark.usefixtures("tape")
@pytest.mark.parametrize("way", [capture, poisoned])
@pytest.mark.parametrize("base", LOSSES.values(), ids=[*LOSSES])
@pytest.mark.parametrize("model", [*FACTORISATIONS, *HISTORIES, *INTERACTIONS], ids=name)
def test_a_captured_step_learns_what_a_plain_one_does(model, base, way):
    tried = [*settings(base, learning_rate=[0.01, 0.1]), *settings(base, decay=[0.7]), *settings(base, l2=[0.05])]
    expected, found = epochs(model, tried, plain), epochs(model, tried, way)
    for what, values in expected.items():
        np.testing.assert_allclose(found[what], values, rtol=2e-5, atol=2e-6, err_msg=what)


def test_all_batches_after_the_first_of_each_slot_are_replayed(tape, monkeypatch):
    calls = []
    monkeypatch.setattr(Step, "learn", lambda self, *of, learn=Step.learn: calls.append(of) or learn(self, *of))
    epochs(FACTORISATIONS[3], [SHORT], capture)
    assert (len(calls), len(tape)) == (6, 3)  # once to warm up, once for the tape


@pytest.mark.usefixtures("tape")
@pytest.mark.parametrize("model", [FACTORISATIONS[0], FACTORISATIONS[7], HISTORY], ids=name)
def test_hard_negatives_are_those_of_the_same_draws(model, monkeypatch):
    def drawn(self, size, _):  # noqa: ARG001 (as the method)
        """Numbers of which the last do not depend on how many there are."""
        rounds = torch.arange(8, dtype=torch.float64).view(4, 2, 1)
        return (rounds * 0.61 + torch.arange(size - 1, -1, -1) * 0.37) % 1

    def redrawn(self, uniform, generator):
        """The same numbers in all slots."""
        uniform.copy_(drawn(self, uniform.shape[-1], generator))

    monkeypatch.setattr("pipeline.training.bpr.negatives.REFRESH", 0)
    monkeypatch.setattr(AdaptiveSampler, "draw", drawn)
    monkeypatch.setattr(AdaptiveSampler, "redraw", redrawn)
    tried = settings(ADAPTIVE, learning_rate=[0.02, 0.1])
    expected, found = epochs(model, tried, plain), epochs(model, tried, poisoned)
    for what, values in expected.items():
        np.testing.assert_allclose(found[what], values, rtol=2e-5, atol=2e-6, err_msg=what)


def pretended(tensor: Tensor) -> Tensor:
    """A tensor of the same shape on a GPU that is not there: it has no numbers, and asking for one raises."""
    return torch.empty(tensor.shape, dtype=tensor.dtype, device=GPU)


@pytest.mark.parametrize("base", [*LOSSES.values(), ADAPTIVE], ids=[*LOSSES, "adaptive"])
@pytest.mark.parametrize("model", [FACTORISATIONS[3], FACTORISATIONS[7], *HISTORIES, *INTERACTIONS], ids=name)
def test_no_operation_of_a_step_waits_for_a_gpu_or_takes_its_shape_from_numbers(model, base, monkeypatch):
    monkeypatch.setattr(loops, "loops_of_gpu", lambda device: gpu)  # noqa: ARG005 (as the function)
    layout, training = encoded(model, base)
    block = next(training.posts.epoch(BATCH, Generators.seeded(0, CPU)))
    with FakeTensorMode():
        inputs = block.inputs.map(pretended)
        bags = {
            name: bag._replace(tags=pretended(bag.tags), weights=pretended(bag.weights))
            for name, bag in inputs.bags.items()
        }
        quadruples = Quadruples(*map(pretended, block.quadruples))
        batch = Batch(pretended(block.posts), pretended(block.sizes), replace(inputs, bags=bags), quadruples)
        step = Step(training.contexts, training.sampler, TrialParameters.start(layout, [base, base], 0, GPU))
        shape = step.uniform_shape(len(quadruples.post))
        step.prepare(len(quadruples.post))
        step.learn(batch, None if shape is None else torch.empty(shape, dtype=torch.float64, device=GPU))
        with pytest.raises(RuntimeError, match="bincount"):
            torch.bincount(quadruples.post)


@pytest.mark.gpu
@pytest.mark.parametrize("base", LOSSES.values(), ids=[*LOSSES])
@pytest.mark.parametrize("model", [FACTORISATIONS[3], FACTORISATIONS[7], *HISTORIES, *INTERACTIONS], ids=name)
def test_a_gpu_learns_by_graphs_what_it_learns_without(model, base):
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    steps = []

    def kept(step: Step, posts: TrainingPosts) -> CapturedStep:
        steps.append(capture(step, posts))
        return steps[0]

    tried = settings(base, learning_rate=[0.02, 0.05])
    expected, found = epochs(model, tried, plain, device=GPU), epochs(model, tried, kept, device=GPU)
    assert len(steps[0].replays) == 3  # a graph for each slot
    for what, values in expected.items():
        np.testing.assert_allclose(found[what], values, rtol=1e-3, atol=1e-3, err_msg=what)


def test_a_block_without_room_is_learnt_as_ever(tape, monkeypatch):
    monkeypatch.setattr(captured, "room_for_quadruples", lambda counts, posts, weights: posts)  # noqa: ARG005
    expected, found = epochs(FACTORISATIONS[3], [SHORT], plain), epochs(FACTORISATIONS[3], [SHORT], capture)
    assert len(tape) == 1  # of the last block, whose batch is shorter
    np.testing.assert_allclose(found["tag"], expected["tag"], rtol=2e-5, atol=2e-6)


class Pretended:
    """Takes the place of a stream, of its block, of a graph, of its block, and of a pool of memory."""

    def __init__(self, *_, pool=None):
        self.pool = pool

    def wait_stream(self, _):
        """Has nothing to wait for."""

    def replay(self):
        """Does nothing."""

    def __enter__(self):
        """Enters the block."""

    def __exit__(self, *_):
        """Leaves it."""


def pretend(monkeypatch, graph: type) -> None:
    """Has torch capture graphs without a GPU; graph: a block's."""
    for what in ("Stream", "current_stream", "stream", "CUDAGraph", "graph_pool_handle"):
        monkeypatch.setattr(torch.cuda, what, Pretended)
    monkeypatch.setattr(torch.cuda, "graph", graph)


@pytest.mark.parametrize("base", [SOFTMAX, WARP], ids=["softmax", "warp"])
def test_the_graphs_of_a_step_share_their_memory(base, monkeypatch):
    pools, streams = [], []

    class Graph(Pretended):
        def __init__(self, _, pool=None):
            pools.append(pool)

    class Stream(Pretended):
        def __init__(self, *_):
            streams.append(self)

    pretend(monkeypatch, Graph)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    epochs(FACTORISATIONS[3], [base], capture)
    assert (len(pools), len({id(pool) for pool in pools}), len(streams)) == (3, 1, 1)
    assert None not in pools


def test_a_gpu_that_cannot_record_is_reported_and_learns_as_ever(caplog, monkeypatch):
    class Refused(Pretended):
        def __enter__(self):
            raise RuntimeError("CUDA error: operation not permitted\nmore lines")

    pretend(monkeypatch, Refused)
    expected = epochs(FACTORISATIONS[3], [SHORT], plain)
    with caplog.at_level(logging.WARNING):
        found = epochs(FACTORISATIONS[3], [SHORT], capture)
    (message,) = caplog.messages
    assert message.endswith("runs its operations one by one: CUDA error: operation not permitted")
    np.testing.assert_allclose(found["tag"], expected["tag"], rtol=2e-5, atol=2e-6)


def test_room_is_for_what_a_batch_needs_as_a_rule_and_never_more_than_it_can():
    assert room_for_quadruples(torch.tensor([3, 3, 3, 3]), 2) == 6
    assert room_for_quadruples(torch.tensor([1, 9, 2, 8]), 2) == 17
    counts = torch.tensor([1] * 9_900 + [50] * 100)
    room = room_for_quadruples(counts, 1000)
    drawn = [counts[torch.randperm(10_000, generator=torch.Generator().manual_seed(n))[:1000]].sum() for n in range(50)]
    assert max(drawn) <= room < 2500


def test_room_is_for_posts_that_come_as_often_as_their_weights_say():
    counts = torch.tensor([1] * 9_900 + [50] * 100)
    order = PostOrder(torch.arange(10_000), torch.tensor([0.5] * 9_900 + [50.5] * 100))
    room = room_for_quadruples(counts, 1000, order.weights)
    generator = torch.Generator().manual_seed(0)
    drawn = [counts[order.shuffle(generator).posts[:1000]].sum() for _ in range(50)]
    assert max(drawn) <= room < 50 * 1000 * 0.65


def test_a_block_takes_the_place_of_a_longer_one():
    posts, _, features = checkerboard(FACTORISATIONS[3])
    _, training = encode(config(FACTORISATIONS[3]), SHORT, TrainingTask(posts, None, features, 0), CPU)
    first, *_, last = training.posts.epoch(BATCH, Generators.seeded(0, CPU))
    room = Room.like(first, 3, BATCH, 50, None)
    room.fill(first)
    room.fill(last)
    (batch,) = last
    found, _ = room.slot(0)
    assert found.sizes.tolist() == [3, 3, 3] + [0] * 10
    assert found.quadruples.post.tolist() == [-1] * 41 + [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert torch.equal(found.quadruples.negative[41:], batch.quadruples.negative)
    assert torch.equal(found.inputs.features["features"][:3], batch.inputs.features["features"])
    for number in (1, 2):
        empty, _ = room.slot(number)
        assert empty.sizes.eq(0).all()
        assert empty.quadruples.post.eq(-1).all()


def test_each_batch_of_a_block_has_its_slot():
    posts, _, features = checkerboard(FACTORISATIONS[3])
    _, training = encode(config(FACTORISATIONS[3]), SHORT, TrainingTask(posts, None, features, 0), CPU)
    block = next(training.posts.epoch(BATCH, Generators.seeded(0, CPU)))
    room = Room.like(block, 3, BATCH, 50, None)
    room.fill(block)
    padding = 50 - 3 * BATCH  # Each post has three tags.
    for number, batch in enumerate(block):
        found, _ = room.slot(number)
        assert torch.equal(found.posts, batch.posts)
        for part, expected in zip(found.quadruples, batch.quadruples, strict=True):
            assert torch.equal(part[padding:], expected)
