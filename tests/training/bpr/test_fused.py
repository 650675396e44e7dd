"""The kernels for a GPU: interpreted, they are held to the loops of a CPU; and they compile without a GPU."""

import importlib.util
import logging
import math

import pytest
import torch

from pipeline.training.bpr import loops
from pipeline.training.bpr.loops import cpu, gpu
from pipeline.training.bpr.loops.quadruples import QuadrupleGradients, Quadruples, TagOrders, TagTables
from pipeline.training.bpr.loops.stepping import SummedTable

triton = pytest.importorskip("triton")
CPU = torch.device("cpu")
USERS, TAGS, POSTS, WIDTH = 5, 9, 4, 6


@pytest.fixture
def fused(monkeypatch):
    """The module with its kernels interpreted, operation by operation."""
    spec = importlib.util.find_spec("pipeline.training.bpr.loops.fused")
    module = importlib.util.module_from_spec(spec)
    # Triton's own functions were made to be compiled, when it was imported.
    tl = triton.language
    monkeypatch.setattr(tl, "sum", lambda values, axis: tl.reduce(values, axis, tl.standard._sum_combine))
    monkeypatch.setattr(tl, "max", lambda values, axis: tl.reduce(values, axis, tl.standard._elementwise_max))
    monkeypatch.setattr(tl, "cumsum", lambda values, axis: tl.associative_scan(values, axis, tl.standard._sum_combine))
    with monkeypatch.context() as patched:
        patched.setattr(triton.knobs.runtime, "interpret", True)
        spec.loader.exec_module(module)
    return module


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def summed(either, quadruples: Quadruples, trials: int, biased: bool) -> list[torch.Tensor]:
    """The margins of quadruples, and all that they add up to."""
    biases = TAGS if biased else 0
    tags = TagTables(normal(TAGS, trials, WIDTH), normal(biases, trials, 1))
    sums = QuadrupleGradients(
        torch.zeros(POSTS, trials, WIDTH),
        TagTables(torch.zeros(TAGS, trials, WIDTH), torch.zeros(biases, trials, 1)),
        torch.zeros(TAGS, trials, 1),
    )
    margin = torch.full((len(quadruples.post), trials), math.nan)
    either.add_quadruples(tags, normal(POSTS, trials, WIDTH), quadruples, margin, sums)
    return [margin, sums.vectors, *sums.tags, sums.occurrences]


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(("trials", "negatives"), [(1, 1), (3, 1), (3, 3)])
def test_quadruples_add_what_those_of_a_cpu_do_and_padding_adds_nothing(fused, trials, negatives, biased):
    drawn = torch.randint(0, TAGS, (7, 1 + negatives), generator=torch.Generator().manual_seed(1))
    real = Quadruples(torch.tensor([0, 0, 0, 1, 2, 3, 3]), drawn[:, 0].contiguous(), drawn[:, 1:].contiguous())
    padded = Quadruples(*(torch.cat([part[:2], part]) for part in real))
    padded.post[:2] = -1
    (margin, *expected), (found_margin, *found) = (
        summed(cpu, real, trials, biased),
        summed(fused, padded, trials, biased),
    )
    assert not found_margin[:2].any()
    torch.testing.assert_close(found_margin[2:], margin)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("trials", [1, 3])
def test_rows_move_as_on_a_cpu_and_one_that_repeats_once(fused, trials, shared):
    rates, l2, rows = normal(trials).abs(), normal(trials).abs(), torch.tensor([0, 3, 3, 1, 0])
    for optimizer in ("sgd", "adagrad"):
        moved = []
        for either in (cpu, fused):
            occurrences = torch.tensor([2.0, 0, 0, 1, 3])[:, None, None].repeat(1, 1 if shared else trials, 1)
            gradient = normal(USERS, trials, WIDTH) * (occurrences > 0)
            table = SummedTable(normal(USERS, trials, WIDTH), gradient, occurrences)
            squares = [normal(USERS, trials, WIDTH).abs()] if optimizer == "adagrad" else []
            getattr(either, optimizer)(rows, table, rates, l2, *squares)
            moved.append([*table, *squares])
        torch.testing.assert_close(moved[1], moved[0])


@pytest.mark.parametrize("trials", [1, 3])
def test_hard_negatives_are_those_of_a_cpu(fused, trials):
    generator = torch.Generator().manual_seed(2)
    sizes, tags, rounds = [8, 1, 3, 5], 30, 4
    post = torch.tensor([-1, -1, *(post for post, size in enumerate(sizes) for _ in range(size))])
    own = [torch.randperm(tags, generator=generator)[:size].sort()[0] for size in sizes]
    positive = torch.cat([torch.zeros(2).long(), *own])
    vectors, columns = normal(POSTS, trials, WIDTH), normal(WIDTH, trials, tags)
    deviation = columns.std(dim=-1, correction=0).T.contiguous()
    uniform = torch.rand(rounds, 2, len(post), generator=generator, dtype=torch.float64)
    found = []
    for either, some in ((cpu, slice(2, None)), (fused, slice(None))):
        quadruples = Quadruples(post[some], positive[some], torch.full((len(post[some]), trials), 99))
        orders = TagOrders(cpu.order(columns).long(), deviation, mean_rank=3.0)
        either.harden(vectors, orders, quadruples, uniform[..., some].contiguous())
        found.append(quadruples.negative[-sum(sizes) :].tolist())
    assert found[0] == found[1]
    assert len({tag for row in found[0] for tag in row}) > 5


@pytest.mark.parametrize("biased", [True, False])
def test_the_kernels_compile_for_an_h100(biased):
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from pipeline.training.bpr.loops import fused

    types = dict.fromkeys(("rows", "posts", "positives", "negatives", "orders"), "*i64") | {"uniform": "*fp64"}
    types |= dict.fromkeys(("trials", "width", "separate", "counted", "size", "vocabulary"), "i32")
    for kernel, constants in (
        (fused._add_quadruples, {"HAS_BIAS": biased, "BLOCK": 128}),
        (fused._update, {"ADAGRAD": biased, "BLOCK": 128}),
        (fused._harden, {"MEAN": 33.0, "SCALE": -1.0, "ROUNDS": 4, "BLOCK": 128}),
    ):
        own = dict.fromkeys(constants, "constexpr") | ({"occurrences": "*i32"} if kernel is fused._update else {})
        signature = {name: (types | own).get(name, "*fp32") for name in kernel.arg_names}
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
        assert triton.compile(source, target=GPUTarget("cuda", 90, 32), options=fused.OPTIONS).asm["cubin"]


def test_a_gpu_on_which_kernels_do_not_work_takes_tensor_operations_and_says_why(caplog):
    loops.loops_of_gpu.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert loops.loops_of_gpu(CPU) is gpu  # Without the interpreter, Triton has nothing that runs there.
    (message,) = caplog.messages
    assert "because Triton's kernels do not work: " in message


def test_kernels_that_work_are_taken(fused, monkeypatch):
    monkeypatch.setattr(loops, "fused", fused, raising=False)
    loops.loops_of_gpu.cache_clear()
    assert loops.loops_of_gpu(CPU) is fused
    loops.loops_of_gpu.cache_clear()


def test_all_loops_have_the_same_functions(fused):
    for name in fused.__all__:
        assert all(callable(getattr(module, name)) for module in (cpu, gpu, fused))
