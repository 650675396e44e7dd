"""The inner loops of training as tensor operations, for a GPU: those of `cpu.py`, on the same arguments."""

import math

import torch
from torch import Tensor

from pipeline.training.bpr.loops.cpu import TagBags
from pipeline.training.bpr.loops.quadruples import PositiveTags, QuadrupleGradients, Quadruples, TagOrders, TagTables
from pipeline.training.bpr.loops.stepping import SummedTable

DENSE_RATIO = 4
"""The rows of a table that is updated as a whole, for each row that has a gradient, at most."""


def bind(record: SummedTable) -> SummedTable:
    """Returns the same record for many calls."""
    return record


def draw(posts: Tensor, positives: PositiveTags, uniform: Tensor, drawn: Quadruples) -> None:
    """Lists all positives of some posts, and draws a negative for each."""
    # Of each post the number of its positives, and the place of the first, in the block and among all, (B,).
    counts, starts = positives.counts.index_select(0, posts), positives.starts.index_select(0, posts)
    firsts = counts.cumsum(0) - counts
    # Each quadruple's post, its place among those of the post, and its positive, (Q,).
    post = torch.repeat_interleave(counts, output_size=len(uniform))
    first = firsts.index_select(0, post)
    place = torch.arange(len(uniform), device=posts.device) - first
    positive = positives.tags.index_select(0, starts.index_select(0, post) + place)

    # The r-th tag that is no positive of the post: of the tags below a positive, all but those before it are none. One
    # search serves all posts: each has its own stretch of T numbers.
    r = (uniform * (positives.vocabulary - counts).index_select(0, post)).long()
    base = post * positives.vocabulary
    below = torch.searchsorted(base + positive - place, base + r, right=True) - first

    drawn.post.copy_(post)
    drawn.positive.copy_(positive)
    drawn.negative.copy_((r + below)[:, None])


def add_rows(table: Tensor, rows: Tensor, vectors: Tensor, columns: slice) -> None:
    """Adds rows (B,) of a table (rows, G, c) to c columns of the posts' vectors (B, G, W).

    Row −1 adds nothing.
    """
    known = (rows >= 0)[:, None, None]
    # Not by `+=`, which would copy the sum to where it lies already, by a launch of its own.
    vectors[..., columns].add_(torch.where(known, table.index_select(0, rows.clamp(min=0)), 0))


def add_to_rows(
    vectors: Tensor, columns: slice, rows: Tensor, sizes: Tensor, gradient: Tensor, occurrences: Tensor
) -> None:
    """Adds c columns of the vectors' gradients (B, G, W) to rows (B,) of a table's gradient (rows, G, c)."""
    gradient.index_add_(0, rows, vectors[..., columns])
    occurrences.index_add_(0, rows, sizes.to(occurrences.dtype)[:, None, None])


def add_bags(table: Tensor, bags: TagBags, vectors: Tensor, columns: slice) -> None:
    """Adds weighted rows (B,) of a table (T, G, c) to c columns of the posts' vectors (B, G, W)."""
    part = vectors[..., columns]
    part.add_((bag_weights(bags, len(table)) @ table.flatten(1)).view_as(part))


def add_to_bags(
    vectors: Tensor, columns: slice, bags: TagBags, sizes: Tensor, gradient: Tensor, occurrences: Tensor
) -> None:
    """Adds c columns of the vectors' gradients (B, G, W), weighted, to a table's gradient (T, G, c)."""
    weights = bag_weights(bags, len(gradient)).T
    gradient.flatten(1).addmm_(weights, vectors[..., columns].flatten(1))
    occurrences.add_((weights @ sizes.to(weights.dtype))[:, None, None])


def bag_weights(bags: TagBags, vocabulary: int) -> Tensor:
    """Lays out bags as a matrix, (B, T): the weight of each tag, 0 where a bag lacks it.

    A list of the tags in the bags would vary in length; a CUDA graph needs the same shape for all batches.
    """
    place = torch.arange(bags.longest, device=bags.starts.device)
    inside = place < bags.counts[:, None]
    at = torch.where(inside, bags.starts[:, None] + place, 0)
    weights = bags.weights[at] * inside
    return weights.new_zeros(len(at), vocabulary).scatter_add_(1, bags.tags[at], weights)


def add_quadruples(
    tags: TagTables, vectors: Tensor, quadruples: Quadruples, margin: Tensor, gradients: QuadrupleGradients
) -> None:
    """Adds the gradients of Q quadruples in G trials (Eq. 9), and fills margin (Q, G), ŷ'."""
    # ŷ' = ŷ(t⁺) − ŷ(t⁻), from the difference of the tags' factors (Q, G, W) and the posts' vectors (Q, G, W).
    post, positive, negative = quadruples.post.clamp(min=0), quadruples.positive[:, None], quadruples.negative
    difference = take(tags.factors, positive)
    difference -= take(tags.factors, negative)
    repeated = vectors.index_select(0, post)
    torch.linalg.vecdot(difference, repeated, out=margin)
    if len(tags.bias):
        margin += (take(tags.bias, positive) - take(tags.bias, negative))[..., 0]

    # 1 − σ(ŷ'), the first factor of Eq. 9, or 0 for padding, (Q, G, 1), times the derivatives of ŷ'.
    real = (quadruples.post >= 0).to(margin.dtype)[:, None, None]
    weight = torch.sigmoid(-margin)[..., None].mul_(real)
    repeated *= weight
    gradients.vectors.index_add_(0, post, difference.mul_(weight), alpha=-1)
    once = real.expand_as(weight)
    for rows, sign in ((positive, -1), (negative, 1)):
        put(gradients.tags.factors, rows, repeated, sign)
        put(gradients.occurrences, rows, once, 1)
        if len(tags.bias):
            put(gradients.tags.bias, rows, weight, sign)


def take(table: Tensor, tags: Tensor) -> Tensor:
    """Reads the rows of tags in a table (T, G, …): (Q, G, …).

    tags: (Q, 1), the same in all trials, or (Q, G).
    """
    if tags.shape[1] == 1:
        return table.index_select(0, tags[:, 0])
    return table.flatten(0, 1).index_select(0, flat(tags)).view(*tags.shape, *table.shape[2:])


def put(table: Tensor, tags: Tensor, values: Tensor, sign: int) -> None:
    """Adds `sign` times values (Q, G, …) to the rows of (T, G, …) that `take` would read."""
    if tags.shape[1] == 1:
        table.index_add_(0, tags[:, 0], values, alpha=sign)
    else:
        table.flatten(0, 1).index_add_(0, flat(tags), values.flatten(0, 1), alpha=sign)


def flat(tags: Tensor) -> Tensor:
    """Turns tags (Q, G) into rows of a table (T · G, …)."""
    trials = tags.shape[1]
    return (tags * trials + torch.arange(trials, device=tags.device)).flatten()


def sgd(rows: Tensor, table: SummedTable, rates: Tensor, l2: Tensor) -> None:
    """Updates rows of a table by SGD, and clears its sums.

    θ ← θ − α (g + λ n θ). Rows are taken out, updated, and put back: a row that repeats is updated alike each time, and
    once in effect.
    """
    some = None if is_dense(table, rows) else rows
    values, gradient = take_summed(some, table, l2)
    put_back(table.values, some, values.addcmul_(gradient, rates[:, None], value=-1))


def adagrad(rows: Tensor, table: SummedTable, rates: Tensor, l2: Tensor, squares: Tensor) -> None:
    """Updates rows as `sgd` does, by Adagrad.

    θ ← θ − α g / √(Σ g²), where g includes λ n θ.
    """
    some = None if is_dense(table, rows) else rows
    values, gradient = take_summed(some, table, l2)
    total = take_out(squares, some).addcmul_(gradient, gradient)
    put_back(table.values, some, values.addcdiv_(gradient * rates[:, None], total.sqrt(), value=-1))
    put_back(squares, some, total)


def is_dense(table: SummedTable, rows: Tensor) -> bool:
    """Tests if a table is better updated as a whole, in fewer launches; rows without gradient stay as they are."""
    return len(table.values) <= DENSE_RATIO * len(rows)


def take_summed(some: Tensor | None, table: SummedTable, l2: Tensor) -> tuple[Tensor, Tensor]:
    """Takes out values, and their gradients with L2, both (rows, G, columns), and clears the sums."""
    values = take_out(table.values, some)
    decay = take_out(table.occurrences, some) * l2[:, None]
    gradient = torch.addcmul(take_out(table.gradient, some), values, decay)
    for sums in (table.gradient, table.occurrences):
        sums.zero_() if some is None else sums.index_fill_(0, some, 0)
    return values, gradient


def take_out(table: Tensor, some: Tensor | None) -> Tensor:
    """Copies some rows of a table; returns the table itself for all, None."""
    return table if some is None else table.index_select(0, some)


def put_back(table: Tensor, some: Tensor | None, rows: Tensor) -> None:
    """Puts rows back that `take_out` returned; all rows, None, never left the table."""
    if some is not None:
        table.index_copy_(0, some, rows)


def order(columns: Tensor) -> Tensor:
    """Orders the tags by columns (F, G, T), highest first, (F, G, T) int64."""
    return columns.argsort(dim=-1, descending=True)


def harden(vectors: Tensor, orders: TagOrders, quadruples: Quadruples, uniform: Tensor) -> None:
    """Draws a hard negative for each quadruple and trial, of the tags that its post lacks."""
    factors, trials, vocabulary = orders.tags.shape
    vectors = with_bias(vectors, factors)
    rows = torch.arange(len(vectors) * trials, device=vectors.device).view(-1, trials)  # (B, G)
    steps, row = factor_steps(vectors, orders.deviation, rows), rows[quadruples.post]  # (B · G · F,), (Q, G)

    # All positives of the batch's posts, each as one number, place · T + tag, ascending from 0; padding is below.
    keys = quadruples.post * vocabulary + quadruples.positive

    negative = quadruples.negative
    done = torch.zeros_like(negative, dtype=torch.bool)
    for of_factor, of_rank in uniform[..., None]:
        # A factor f of each quadruple and trial, with the probability |v_f| σ_f, (Q, G).
        factor = torch.searchsorted(steps, row + of_factor, right=True) - row * factors
        factor.clamp_(0, factors - 1)
        # A rank of each quadruple, (Q, 1): the inverse of the distribution function of e^(-r/λ) on 0 ≤ r < T.
        rank = -orders.mean_rank * torch.log1p(of_rank * math.expm1(-vocabulary / orders.mean_rank))
        rank = rank.long().clamp(max=vocabulary - 1)
        # The tag of that rank, counted from the other end where v_f is negative, (Q, G).
        downward = vectors.flatten(0, 1)[row, factor] < 0
        trial = torch.arange(trials, device=vectors.device)
        tag = orders.tags[factor, trial, torch.where(downward, vocabulary - 1 - rank, rank)].long()
        # It is kept where it is no positive of the post and none was kept before.
        key = (quadruples.post * vocabulary)[:, None] + tag
        free = keys[torch.searchsorted(keys, key).clamp(max=len(keys) - 1)] != key
        negative.copy_(torch.where(free & ~done, tag, negative))
        done |= free


def with_bias(vectors: Tensor, factors: int) -> Tensor:
    """Appends a column of ones to vectors (B, G, W), for the bias, where it is one of F factors."""
    return vectors if vectors.shape[2] == factors else torch.cat([vectors, torch.ones_like(vectors[..., :1])], dim=-1)


def factor_steps(vectors: Tensor, deviation: Tensor, rows: Tensor) -> Tensor:
    """Lays the distributions over factors end to end, so that one search serves all: (B · G · F,).

    Each row (post, trial) of cumulated weights ends at 1, so that row + weight ascends throughout; also that of a
    trial that diverges, so that it does not spoil the search of the others.
    """
    weights = (vectors.abs() * deviation).double().cumsum(-1)
    shares = (weights / weights[..., -1:].clamp_min(1e-300)).nan_to_num(nan=0.0)
    return (shares + rows[..., None]).flatten()


def best(scores: Tensor, top: Tensor) -> None:
    """Finds the places of the highest scores of each row, best first; the order of equal scores is left open."""
    top.copy_(scores.topk(top.shape[1], dim=-1).indices)
