"""The inner loops of training for a GPU, of which those that take most operations are one kernel each.

The functions are those of `cpu.py`, on the same arguments; the kernels are written in Triton. What is not here comes
from `gpu.py`, which has tensor operations in place of the kernels, too, for where Triton does not work. Numbers are
float32, and tensors contiguous.
"""

import math

import torch
import triton
from torch import Tensor
from triton import language as tl

from pipeline.training.bpr.loops.gpu import (
    add_bags,
    add_rows,
    add_to_bags,
    add_to_rows,
    best,
    bind,
    draw,
    order,
    with_bias,
)
from pipeline.training.bpr.loops.quadruples import QuadrupleGradients, Quadruples, TagOrders, TagTables
from pipeline.training.bpr.loops.stepping import SummedTable

__all__ = [
    "adagrad",
    "add_bags",
    "add_quadruples",
    "add_rows",
    "add_to_bags",
    "add_to_rows",
    "best",
    "bind",
    "draw",
    "harden",
    "order",
    "sgd",
]

OPTIONS = {"num_warps": 1, "enable_fp_fusion": True}
"""Of all kernels: one warp has work with a row of a hundred numbers."""


def check(device: torch.device) -> None:
    """Updates one number on a device. Raises what compilers, linkers and drivers raise where kernels fail."""
    theta, gradient, occurrences = torch.ones(3, 1, 1, 1, device=device)
    rates = torch.ones(1, device=device)
    sgd(torch.zeros(1, dtype=torch.int64, device=device), SummedTable(theta, gradient, occurrences), rates, rates)
    if theta.item() != -1:  # θ − α (g + λ n θ), all of them 1.
        raise RuntimeError(f"a kernel computes {theta.item()} in place of -1")


def add_quadruples(
    tags: TagTables, vectors: Tensor, quadruples: Quadruples, margin: Tensor, gradients: QuadrupleGradients
) -> None:
    """Adds the gradients of Q quadruples in G trials (Eq. 9), and fills margin (Q, G), ŷ'."""
    _, trials, width = tags.factors.shape
    _add_quadruples[len(margin), trials](
        *(tags.factors, tags.bias, vectors, *quadruples, margin),
        *(gradients.vectors, *gradients.tags, gradients.occurrences),
        *(trials, width, quadruples.negative.shape[1]),
        HAS_BIAS=len(tags.bias) > 0,
        BLOCK=triton.next_power_of_2(width),
        **OPTIONS,
    )


def sgd(rows: Tensor, table: SummedTable, rates: Tensor, l2: Tensor) -> None:
    """Updates rows of a table by SGD, and clears its sums."""
    _launch_update(rows, table, rates, l2, None)


def adagrad(rows: Tensor, table: SummedTable, rates: Tensor, l2: Tensor, squares: Tensor) -> None:
    """Updates rows as `sgd` does, by Adagrad."""
    _launch_update(rows, table, rates, l2, squares)


def _launch_update(rows: Tensor, table: SummedTable, rates: Tensor, l2: Tensor, squares: Tensor | None) -> None:
    trials, width = table.values.shape[1:]
    counted = table.occurrences.shape[1]
    _update[len(rows), counted](
        *(rows, table.values, table.gradient, table.occurrences.view(torch.int32)),
        *(rates, l2, table.values if squares is None else squares),
        *(trials, width, counted),
        ADAGRAD=squares is not None,
        BLOCK=triton.next_power_of_2(width),
        **OPTIONS,
    )


def harden(vectors: Tensor, orders: TagOrders, quadruples: Quadruples, uniform: Tensor) -> None:
    """Draws a hard negative for each quadruple and trial, of the tags that its post lacks."""
    factors, trials, vocabulary = orders.tags.shape
    _harden[uniform.shape[2], trials](
        *(with_bias(vectors, factors), orders.tags, orders.deviation, *quadruples, uniform),
        *(uniform.shape[2], trials, factors, vocabulary),
        MEAN=orders.mean_rank,
        SCALE=math.expm1(-vocabulary / orders.mean_rank),
        ROUNDS=len(uniform),
        BLOCK=triton.next_power_of_2(factors),
        **OPTIONS,
    )


@triton.jit
def _add_quadruples(
    factors,
    bias,
    vectors,
    posts,
    positives,
    negatives,
    margins,
    vector_gradients,
    factor_gradients,
    bias_gradients,
    occurrences,
    trials,
    width,
    separate,
    HAS_BIAS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Adds quadruple q in trial g; `separate`: the number of negatives of a quadruple, 1 or G."""
    q, g = tl.program_id(0), tl.program_id(1)
    post, margin = tl.load(posts + q), margins + q * trials + g
    if post < 0:  # Padding.
        tl.store(margin, 0.0)
    else:
        a, b = tl.load(positives + q), tl.load(negatives + q * separate + g % separate)
        # Rows of (B, G) and (T, G), and their columns.
        of_post, of_a, of_b = post * trials + g, a * trials + g, b * trials + g
        columns = tl.arange(0, BLOCK)
        inside = columns < width

        # ŷ' = ŷ(t⁺) − ŷ(t⁻), of three rows (W,).
        vector = tl.load(vectors + of_post * width + columns, mask=inside, other=0.0)
        positive = tl.load(factors + of_a * width + columns, mask=inside, other=0.0)
        negative = tl.load(factors + of_b * width + columns, mask=inside, other=0.0)
        total = tl.sum(vector * (positive - negative), axis=0)
        if HAS_BIAS:
            total += tl.load(bias + of_a) - tl.load(bias + of_b)
        tl.store(margin, total)

        # 1 − σ(ŷ'), the first factor of Eq. 9, times the derivatives of ŷ'.
        weight = 1 / (1 + tl.exp(total))
        tl.atomic_add(
            vector_gradients + of_post * width + columns, weight * (negative - positive), mask=inside, sem="relaxed"
        )
        tl.atomic_add(factor_gradients + of_a * width + columns, -weight * vector, mask=inside, sem="relaxed")
        tl.atomic_add(factor_gradients + of_b * width + columns, weight * vector, mask=inside, sem="relaxed")
        tl.atomic_add(occurrences + of_a, 1.0, sem="relaxed")
        tl.atomic_add(occurrences + of_b, 1.0, sem="relaxed")
        if HAS_BIAS:
            tl.atomic_add(bias_gradients + of_a, -weight, sem="relaxed")
            tl.atomic_add(bias_gradients + of_b, weight, sem="relaxed")


@triton.jit
def _update(
    rows,
    values,
    gradients,
    occurrences,
    rates,
    l2,
    squares,
    trials,
    width,
    counted,
    ADAGRAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Updates a row in one trial, or in all that share its occurrences; `counted`: G or 1.

    Of a row that repeats, one program takes the occurrences, float32 by their bits, and the others find none.
    """
    row, first = tl.load(rows + tl.program_id(0)), tl.program_id(1)
    n = tl.atomic_xchg(occurrences + row * counted + first, 0, sem="relaxed").to(tl.float32, bitcast=True)
    if n > 0:
        columns = tl.arange(0, BLOCK)
        inside = columns < width
        for g in range(first, trials, counted):
            at = (row * trials + g) * width + columns
            theta = tl.load(values + at, mask=inside, other=0.0)
            step = tl.load(gradients + at, mask=inside, other=0.0) + tl.load(l2 + g) * n * theta
            if ADAGRAD:
                total = tl.load(squares + at, mask=inside, other=1.0) + step * step
                tl.store(squares + at, total, mask=inside)
                step = step / tl.sqrt(total)
            tl.store(values + at, theta - tl.load(rates + g) * step, mask=inside)
            tl.store(gradients + at, 0.0, mask=inside)


@triton.jit
def _harden(
    vectors,
    orders,
    deviation,
    posts,
    positives,
    negatives,
    uniform,
    size,
    trials,
    width,
    vocabulary,
    MEAN: tl.constexpr,
    SCALE: tl.constexpr,
    ROUNDS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Draws for quadruple q, of `size`, in trial g; SCALE: e^(-T/λ) − 1."""
    q, g = tl.program_id(0), tl.program_id(1)
    post = tl.load(posts + q)
    if post >= 0:
        # The weights |v_f| σ_f of the post's factors, cumulated, (F,).
        columns = tl.arange(0, BLOCK)
        inside = columns < width
        vector = tl.load(vectors + (post * trials + g) * width + columns, mask=inside, other=0.0)
        spread = tl.load(deviation + g * width + columns, mask=inside, other=0.0)
        steps = tl.cumsum((tl.abs(vector) * spread).to(tl.float64), axis=0)
        total = tl.max(steps, axis=0)

        # The quadruples of the post, which stand together and have all its positives.
        first, last = q, q + 1
        while tl.load(posts + first - 1, mask=first > 0, other=-1) == post:
            first -= 1
        while tl.load(posts + last, mask=last < size, other=-1) == post:
            last += 1

        drawn = 0
        for n in range(ROUNDS):
            # A factor f, and a rank: the inverse of the distribution function of e^(-r/λ) on 0 ≤ r < T.
            bound = tl.load(uniform + 2 * n * size + q) * total
            f = tl.minimum(tl.sum(((steps <= bound) & inside).to(tl.int32), axis=0), width - 1)
            logarithm = tl.log(1 + tl.load(uniform + (2 * n + 1) * size + q) * SCALE)
            rank = tl.minimum((-MEAN * logarithm).to(tl.int32), vocabulary - 1)
            # The tag of that rank, counted from the other end where v_f is negative.
            downward = tl.sum(tl.where(columns == f, vector, 0.0), axis=0) < 0
            rank = tl.where(downward, vocabulary - 1 - rank, rank)
            tag = tl.load(orders + (f * trials + g).to(tl.int64) * vocabulary + rank)
            # It is kept if it is no positive of the post, and none was kept before.
            for own in range(first, last):
                if tl.load(positives + own) == tag:
                    tag = tl.full((), -1, tl.int64)
            if (tag >= 0) & (drawn == 0):
                tl.store(negatives + q * trials + g, tag)
                drawn = 1
