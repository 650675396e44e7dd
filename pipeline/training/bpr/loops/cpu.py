"""The inner loops of training, compiled for the CPU, and the records that they take.

Tensor operations read and write everything many times over; these loops keep a quadruple's rows in the first cache.
They run on one thread, in the order of the quadruples, so that a seed always gives the same bytes. `gpu.py` has the
same functions as tensor operations, and tests hold the two to each other.

Letters of shapes: B posts of a batch, Q quadruples, S positive tags of all training posts, T tags, G trials, W columns
of the tag factors. The records stand in this file because numba compiles anew when this file changes, and would not
see another.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.training.bpr.loops.compiling import as_arrays, compiled


class PositiveTags(NamedTuple):
    """The positive tags of P posts: post p has `tags[starts[p] : starts[p] + counts[p]]`, ascending."""

    starts: Tensor
    """The place at which a post's positives begin, (P,) int64."""
    counts: Tensor
    """The number of a post's positives, (P,) int64."""
    tags: Tensor
    """The positives of all posts, one post after another, (S,) int32."""
    gaps: Tensor
    """The number of tags below each positive that are no positives of its post, (S,) int32."""
    vocabulary: int
    """T, the number of all tags."""


class Quadruples(NamedTuple):
    """Quadruples (user, photo, positive tag, negative tag), of which a post gives the first two."""

    post: Tensor
    """The post's place in its batch, ascending, (Q,) int64; −1 for padding, which counts for nothing, on a GPU."""
    positive: Tensor
    """A tag that the post has, (Q,) int64."""
    negative: Tensor
    """A tag that it lacks: (Q, 1) int64, shared by all trials, or (Q, G), one for each."""


class TagBags(NamedTuple):
    """Weighted tags of P posts: post p has `tags[starts[p] : starts[p] + counts[p]]`."""

    starts: Tensor
    """The place at which a post's tags begin, (P,) int64."""
    counts: Tensor
    """The number of a post's tags, (P,) int64."""
    tags: Tensor
    """The tags of all posts, one post after another, (N,) int64."""
    weights: Tensor
    """The weight of each, above zero, (N,)."""


class TagTables(NamedTuple):
    """The parameters of tags, or their gradients."""

    factors: Tensor
    """(T, G, W)."""
    bias: Tensor
    """(T, G, 1), or (0, G, 1) in a model without one."""


class QuadrupleGradients(NamedTuple):
    """The sums to which quadruples add."""

    vectors: Tensor
    """The gradients of the posts' vectors, (B, G, W)."""
    tags: TagTables
    """Those of the tags."""
    occurrences: Tensor
    """The number of quadruples that used each tag, (T, G, 1)."""


class TagOrders(NamedTuple):
    """The tags in the order of each of F factors, of which the bias, if any, is one."""

    tags: Tensor
    """The tags by each factor, highest first, (F, G, T) int32 or int64."""
    deviation: Tensor
    """The standard deviation of each factor over the tags, σ_f, (G, F)."""
    mean_rank: float
    """λ, the mean rank of a drawn tag."""


class SummedTable(NamedTuple):
    """A parameter with the gradient that quadruples summed up for it."""

    values: Tensor
    """(rows, G, columns)."""
    gradient: Tensor
    """The sum, of the same shape."""
    occurrences: Tensor
    """The number of quadruples that used each row, the weight of its L2: (rows, G, 1) or (rows, 1, 1)."""


def bind(record: SummedTable) -> SummedTable:
    """Returns the same record for many calls, which need not turn its tensors into arrays again."""
    return as_arrays(record)


@compiled
def draw(posts, positives, uniform, drawn):
    """Lists all positives of some posts, and draws a negative for each.

    posts: (B,), places among those of `positives`, a `PositiveTags`; uniform: (Q,) in [0, 1); fills drawn, `Quadruples`
    with negatives (Q, 1). With r uniform over the tags that are no positives of the post, each positive with at most r
    of them below makes it one more.
    """
    starts, counts, tags, gaps, vocabulary = positives
    post, positive, negative = drawn
    q = 0
    for place in range(len(posts)):
        first = starts[posts[place]]
        last = first + counts[posts[place]]
        for own in range(first, last):
            r = int(uniform[q] * (vocabulary - (last - first)))
            other = r
            for below in range(first, last):
                other += gaps[below] <= r  # Without a branch, which nothing could predict.
            post[q], positive[q], negative[q, 0] = place, tags[own], other
            q += 1


@compiled
def add_rows(table, rows, part):
    """Adds rows (B,) of a table (rows, G, columns) to part of the posts' vectors (B, G, columns).

    Row −1 adds nothing.
    """
    for place in range(len(rows)):
        if rows[place] < 0:
            continue
        for g in range(part.shape[1]):
            source, target = table[rows[place], g], part[place, g]
            for c in range(len(target)):
                target[c] += source[c]


@compiled
def add_to_rows(part, rows, sizes, gradient, occurrences):
    """Adds part (B, G, columns) of the vectors' gradients to rows (B,) of a table's gradient (rows, G, columns).

    sizes: the number of quadruples of each post, (B,), added to the rows' occurrences (rows, 1, 1).
    """
    for place in range(len(rows)):
        for g in range(part.shape[1]):
            source, target = part[place, g], gradient[rows[place], g]
            for c in range(len(source)):
                target[c] += source[c]
        occurrences[rows[place], 0, 0] += sizes[place]


@compiled
def add_bags(table, bags, part):
    """Adds weighted rows (B,) of a table (T, G, columns) to part of the posts' vectors (B, G, columns)."""
    starts, counts, tags, weights = bags
    for place in range(len(starts)):
        for at in range(starts[place], starts[place] + counts[place]):
            for g in range(part.shape[1]):
                source, target = table[tags[at], g], part[place, g]
                for c in range(len(target)):
                    target[c] += weights[at] * source[c]


@compiled
def add_to_bags(part, bags, sizes, gradient, occurrences):
    """Adds part (B, G, columns) of the vectors' gradients, weighted, to a table's (T, G, columns).

    sizes: the number of quadruples of each post, (B,), of which each uses a row (T, 1, 1) as much as its weight.
    """
    starts, counts, tags, weights = bags
    for place in range(len(starts)):
        for at in range(starts[place], starts[place] + counts[place]):
            for g in range(part.shape[1]):
                source, target = part[place, g], gradient[tags[at], g]
                for c in range(len(source)):
                    target[c] += weights[at] * source[c]
            occurrences[tags[at], 0, 0] += weights[at] * sizes[place]


@compiled
def add_quadruples(tags, vectors, quadruples, margin, gradients):
    """Adds the gradients of Q quadruples in G trials (Eq. 9), and fills margin (Q, G), ŷ'.

    tags: `TagTables`; vectors: of the posts, (B, G, W); quadruples: `Quadruples`; gradients: `QuadrupleGradients`.
    """
    (factors, bias), (posts, positives, negatives) = tags, quadruples
    vector_gradients, (factor_gradients, bias_gradients), occurrences = gradients
    width, has_bias, separate = factors.shape[2], len(bias) > 0, negatives.shape[1] > 1
    for q in range(len(posts)):
        post, a = posts[q], positives[q]
        for g in range(factors.shape[1]):
            b = negatives[q, g if separate else 0]
            # ŷ' = ŷ(t⁺) − ŷ(t⁻), of three rows (W,).
            vector, positive, negative = vectors[post, g], factors[a, g], factors[b, g]
            total = factors.dtype.type(0)
            for c in range(width):
                total += vector[c] * (positive[c] - negative[c])
            if has_bias:
                total += bias[a, g, 0] - bias[b, g, 0]
            margin[q, g] = total

            # 1 − σ(ŷ'), the first factor of Eq. 9, of which e^x cannot overflow.
            small = math.exp(-abs(total))
            weight = factors.dtype.type((small if total > 0 else 1) / (1 + small))

            # Its products with the derivatives of ŷ', each a row (W,).
            of_vector = vector_gradients[post, g]
            for c in range(width):
                of_vector[c] -= weight * (positive[c] - negative[c])
            of_positive = factor_gradients[a, g]
            for c in range(width):
                of_positive[c] -= weight * vector[c]
            of_negative = factor_gradients[b, g]
            for c in range(width):
                of_negative[c] += weight * vector[c]
            occurrences[a, g, 0] += 1
            occurrences[b, g, 0] += 1
            if has_bias:
                bias_gradients[a, g, 0] -= weight
                bias_gradients[b, g, 0] += weight


@compiled
def sgd(rows, table, rates, l2):
    """Moves rows of a `SummedTable` by SGD, and clears its sums.

    θ ← θ − α (g + λ n θ), where n: occurrences; rates and l2: α and λ of each trial, (G,).
    """
    values, gradients, occurrences = table
    for row in rows:
        for g in range(values.shape[1]):
            n = occurrences[row, g if occurrences.shape[1] > 1 else 0, 0]
            if n == 0:
                continue
            theta, gradient, rate, decay = values[row, g], gradients[row, g], rates[g], l2[g] * n
            for c in range(len(theta)):
                theta[c] -= rate * (gradient[c] + decay * theta[c])
                gradient[c] = 0
        occurrences[row] = 0


@compiled
def adagrad(rows, table, rates, l2, squares):
    """Moves rows as `sgd` does, by Adagrad.

    θ ← θ − α g / √(Σ g²), where g includes λ n θ; squares: Σ g², of the shape of the values.
    """
    values, gradients, occurrences = table
    for row in rows:
        for g in range(values.shape[1]):
            n = occurrences[row, g if occurrences.shape[1] > 1 else 0, 0]
            if n == 0:
                continue
            theta, gradient, total, rate, decay = (
                values[row, g],
                gradients[row, g],
                squares[row, g],
                rates[g],
                l2[g] * n,
            )
            for c in range(len(theta)):
                step = gradient[c] + decay * theta[c]
                total[c] += step * step
                theta[c] -= rate * step / np.sqrt(total[c])
                gradient[c] = 0
        occurrences[row] = 0


def order(columns: Tensor) -> Tensor:
    """Orders the tags by columns (F, G, T), highest first, (F, G, T) int32."""
    return torch.from_numpy(np.argsort(-columns.numpy(), axis=-1).astype(np.int32))


@compiled
def harden(vectors, orders, quadruples, uniform):
    """Draws a hard negative for each quadruple and trial, of the tags that its post lacks.

    vectors: (B, G, F); orders: `TagOrders`; quadruples: for all positives of each post; uniform: (rounds, 2, Q) in
    [0, 1), for a factor and a rank in each round. Replaces the quadruples' negatives, (Q, G), by the first tag drawn
    that is no positive of the post; where no round finds one, they stay.
    """
    ordered, deviation, mean = orders
    factors, trials, vocabulary = ordered.shape
    weights, least = np.empty((trials, factors)), math.expm1(-vocabulary / mean)
    end = 0
    for q in range(len(quadruples.post)):
        place = quadruples.post[q]
        if q == end:
            # The post's positives, which are those of its quadruples.
            while end < len(quadruples.post) and quadruples.post[end] == place:
                end += 1
            own = quadruples.positive[q:end]
            # The weights |v_f| σ_f of its factors, cumulated once for all its quadruples, (G, F).
            for g in range(trials):
                total = 0.0
                for f in range(factors):
                    total += abs(vectors[place, g, f]) * deviation[g, f]
                    weights[g, f] = total
        for g in range(trials):
            for n in range(len(uniform)):
                # A factor f: all are looked at, which takes less time than a search that branches.
                bound, f = uniform[n, 0, q] * weights[g, factors - 1], 0
                for before in range(factors - 1):
                    f += weights[g, before] <= bound
                # A rank: the inverse of the distribution function of e^(-r/λ) on 0 ≤ r < T.
                rank = min(int(-mean * math.log1p(uniform[n, 1, q] * least)), vocabulary - 1)
                # The tag of that rank, counted from the other end where v_f is negative.
                tag = ordered[f, g, vocabulary - 1 - rank if vectors[place, g, f] < 0 else rank]
                free = True
                for positive in own:
                    free &= positive != tag
                if free:
                    quadruples.negative[q, g] = tag
                    break


@compiled
def best(scores, top):
    """Finds the places of the highest scores of each row, best first; among equal scores, the first.

    Reads scores (rows, T); fills top (rows, k), k at most T.
    """
    length = top.shape[1]
    for row in range(len(scores)):
        kept = 0
        for tag in range(scores.shape[1]):
            score = scores[row, tag]
            if kept == length and not score > scores[row, top[row, length - 1]]:
                continue
            place = min(kept, length - 1)
            while place > 0 and score > scores[row, top[row, place - 1]]:
                top[row, place] = top[row, place - 1]
                place -= 1
            top[row, place] = tag
            kept = min(kept + 1, length)
