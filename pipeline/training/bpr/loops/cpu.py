"""The inner loops of training, compiled for the CPU, and the records that they take.

Tensor operations read and write everything many times over; these loops keep a quadruple's rows in the first cache.
Each number has one thread that adds to it, in the order of the quadruples, so that a seed always gives the same bytes.
`gpu.py` has the same functions as tensor operations. Records stand here: numba sees changes of this file alone.

Letters of shapes: B posts, Q quadruples, S positive tags of all posts, T tags, G trials, W columns of the tag factors.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.training.bpr.loops.compiling import as_arrays, compiled
from pipeline.training.bpr.loops.sorting import best, order
from pipeline.training.bpr.loops.stepping import adagrad, bind, sgd
from pipeline.training.bpr.threads import LOOP_COST, in_halves

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


class PositiveTags(NamedTuple):
    """The positive tags of P posts: post p has `tags[starts[p] : starts[p] + counts[p]]`, ascending."""

    starts: Tensor
    """The place at which a post's positives begin, (P,) int64."""
    counts: Tensor
    """The number of a post's positives, (P,) int64."""
    tags: Tensor
    """The positives of all posts, one post after another, (S,) int32."""
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
    longest: int
    """The number of tags in a bag, at most."""


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


class Margins(NamedTuple):
    """The margins by which quadruples rank the positive tag above the negative."""

    values: Tensor
    """ŷ', (Q, G)."""
    weights: Tensor
    """1 − σ(ŷ'), the first factor of Eq. 9, (Q, G)."""


class Share(NamedTuple):
    """The share of one thread in the posts of a batch, or in the uses of tags."""

    low: int
    """The first."""
    high: int
    """The one after the last."""


class TagOrders(NamedTuple):
    """The tags in the order of each of F factors, of which the bias, if any, is one."""

    tags: Tensor
    """The tags by each factor, highest first, (F, G, T) int32 or int64."""
    deviation: Tensor
    """The standard deviation of each factor over the tags, σ_f, (G, F)."""
    mean_rank: float
    """λ, the mean rank of a drawn tag."""


@compiled
def draw(posts, positives, uniform, drawn):
    """Lists all positives of some posts, and draws a negative for each.

    posts: (B,), places among those of `positives`, a `PositiveTags`; uniform: (Q,) in [0, 1); fills drawn, `Quadruples`
    with negatives (Q, 1). With r uniform over the tags that are no positives of the post, each positive with at most r
    of them below makes it one more.
    """
    (starts, counts, tags, vocabulary), (post, positive, negative) = positives, drawn
    # What lies anywhere in memory is gathered first, because a processor looks ahead for it only in short loops.
    firsts, sizes = starts[posts], counts[posts]
    last = 0
    for place in range(len(posts)):
        first, last = last, last + sizes[place]
        for q in range(first, last):
            post[q], positive[q] = place, tags[firsts[place] + q - first]
    last = 0
    for place in range(len(posts)):
        first, last = last, last + sizes[place]
        for q in range(first, last):
            r = int(uniform[q] * (vocabulary - sizes[place]))
            other = r
            for below in range(first, last):
                # Below a positive, all tags but the positives before it are none. No branch: nothing could predict it.
                other += positive[below] - (below - first) <= r
            negative[q, 0] = other


@compiled
def add_rows(table, rows, vectors, columns):
    """Adds rows (B,) of a table (rows, G, c) to c columns of the posts' vectors (B, G, W).

    columns: a slice, as the compiler would not know that rows of a part lie together. Row −1 adds nothing.
    """
    for place in range(len(rows)):
        if rows[place] < 0:
            continue
        for g in range(vectors.shape[1]):
            source, target = table[rows[place], g], vectors[place, g, columns]
            for c in range(len(target)):
                target[c] += source[c]


@compiled
def add_to_rows(vectors, columns, rows, sizes, gradient, occurrences):
    """Adds c columns of the vectors' gradients (B, G, W) to rows (B,) of a table's gradient (rows, G, c).

    sizes: the number of quadruples of each post, (B,), added to the rows' occurrences (rows, 1, 1).
    """
    for place in range(len(rows)):
        for g in range(vectors.shape[1]):
            source, target = vectors[place, g, columns], gradient[rows[place], g]
            for c in range(len(source)):
                target[c] += source[c]
        occurrences[rows[place], 0, 0] += sizes[place]


@compiled
def add_bags(table, bags, vectors, columns):
    """Adds weighted rows (B,) of a table (T, G, c) to c columns of the posts' vectors (B, G, W)."""
    starts, counts, tags, weights, _ = bags
    for place in range(len(starts)):
        for at in range(starts[place], starts[place] + counts[place]):
            for g in range(vectors.shape[1]):
                source, target = table[tags[at], g], vectors[place, g, columns]
                for c in range(len(target)):
                    target[c] += weights[at] * source[c]


@compiled
def add_to_bags(vectors, columns, bags, sizes, gradient, occurrences):
    """Adds c columns of the vectors' gradients (B, G, W), weighted, to a table's gradient (T, G, c).

    sizes: the number of quadruples of each post, (B,), of which each uses a row (T, 1, 1) as much as its weight.
    """
    starts, counts, tags, weights, _ = bags
    for place in range(len(starts)):
        for at in range(starts[place], starts[place] + counts[place]):
            for g in range(vectors.shape[1]):
                source, target = vectors[place, g, columns], gradient[tags[at], g]
                for c in range(len(source)):
                    target[c] += weights[at] * source[c]
            occurrences[tags[at], 0, 0] += weights[at] * sizes[place]


def add_quadruples(
    tags: TagTables, vectors: Tensor, quadruples: Quadruples, margin: Tensor, gradients: QuadrupleGradients
) -> None:
    """Adds the gradients of Q quadruples in G trials (Eq. 9), and fills margin (Q, G), ŷ'.

    tags: `TagTables`; vectors: of the posts, (B, G, W); quadruples: `Quadruples`; gradients: `QuadrupleGradients`.
    Two threads share the posts, then the uses of tags, so that each number has one thread that adds to it.
    """
    records = (tags, vectors, quadruples, Margins(margin, torch.empty_like(margin)), gradients)
    tags, vectors, quadruples, margins, gradients = map(as_arrays, records)
    work = margin.numel() * vectors.shape[2] * LOOP_COST

    def posts(low: int, high: int) -> None:
        _add_to_vectors(Share(low, high), tags, vectors, quadruples, margins, gradients.vectors)

    def uses(low: int, high: int) -> None:
        _add_to_tags(Share(low, high), vectors, quadruples, margins.weights, gradients)

    in_halves(posts, len(vectors), work)
    in_halves(uses, 2 * len(margin), work)


@compiled
def _add_to_vectors(share, tags, vectors, quadruples, margins, gradients):
    """Adds to the gradients (B, G, W) of a share of the posts, and fills the margins of their quadruples."""
    (low, high), (factors, bias), (posts, positives, negatives), (margin, weights) = share, tags, quadruples, margins
    width, separate = factors.shape[2], negatives.shape[1] > 1
    first, last = np.searchsorted(posts, low), np.searchsorted(posts, high)
    while first < last:
        post, end = posts[first], first
        while end < last and posts[end] == post:
            end += 1
        for g in range(factors.shape[1]):
            own, vector, of_vector = g if separate else 0, vectors[post, g], gradients[post, g]
            # ŷ' = ŷ(t⁺) − ŷ(t⁻), of three rows (W,).
            for q in range(first, end):
                a, b = positives[q], negatives[q, own]
                positive, negative, total = factors[a, g], factors[b, g], factors.dtype.type(0)
                for c in range(width):
                    total += vector[c] * (positive[c] - negative[c])
                margin[q, g] = total + (bias[a, g, 0] - bias[b, g, 0]) if len(bias) else total
            # 1 − σ(ŷ'), the first factor of Eq. 9, of which e^x cannot overflow.
            for q in range(first, end):
                small = math.exp(-abs(margin[q, g]))
                weights[q, g] = (small if margin[q, g] > 0 else 1) / (1 + small)
            # Their products with the derivatives of ŷ', rows (W,).
            for q in range(first, end):
                positive, negative = factors[positives[q], g], factors[negatives[q, own], g]
                weight = weights[q, g]
                for c in range(width):
                    of_vector[c] -= weight * (positive[c] - negative[c])
        first = end


@compiled
def _add_to_tags(share, vectors, quadruples, weights, gradients):
    """Adds a share of the tags' uses, 2 Q in all, to the tags' gradients; a tag's uses stay together."""
    (low, high), (posts, positives, negatives) = share, quadruples
    _, (of_factors, of_bias), occurrences = gradients
    (vocabulary, trials, width), separate = of_factors.shape, negatives.shape[1] > 1
    starts, places = np.empty(vocabulary + 1, np.int64), np.empty(vocabulary, np.int64)
    post_of, weight_of = np.empty(2 * len(posts), np.int32), np.empty(2 * len(posts), weights.dtype)
    for g in range(trials):
        own = g if separate else 0
        # The post and the weight of each use, tag by tag: a tag's gradient is summed while it is in the first cache.
        starts[:] = 0
        for q in range(len(posts)):
            starts[positives[q] + 1] += 1
            starts[negatives[q, own] + 1] += 1
        for t in range(vocabulary):
            starts[t + 1] += starts[t]
            places[t] = starts[t]
        for q in range(len(posts)):
            for t, weight in ((positives[q], -weights[q, g]), (negatives[q, own], weights[q, g])):
                post_of[places[t]], weight_of[places[t]] = posts[q], weight
                places[t] += 1
        for t in range(np.searchsorted(starts, low), np.searchsorted(starts, high)):
            row = of_factors[t, g]
            for use in range(starts[t], starts[t + 1]):
                vector, weight = vectors[post_of[use], g], weight_of[use]
                for c in range(width):
                    row[c] += weight * vector[c]
                if len(of_bias):
                    of_bias[t, g, 0] += weight
            occurrences[t, g, 0] += starts[t + 1] - starts[t]


def harden(vectors: Tensor, orders: TagOrders, quadruples: Quadruples, uniform: Tensor) -> None:
    """Draws a hard negative for each quadruple and trial, of the tags that its post lacks.

    vectors: (B, G, W); orders: `TagOrders`, of which a factor beyond W is the bias; quadruples: for all positives of
    each post; uniform: (rounds, 2, Q) in [0, 1), for a factor and a rank in each round. Replaces the quadruples'
    negatives, (Q, G), by the first tag drawn that is no positive of the post; where no round finds one, they stay.
    """

    def posts(low: int, high: int) -> None:
        _harden(Share(low, high), vectors, orders, quadruples, uniform)

    in_halves(posts, len(vectors), quadruples.negative.numel() * vectors.shape[2] * LOOP_COST)


@compiled
def _harden(share, vectors, orders, quadruples, uniform):
    """Draws for the quadruples of a share of the posts."""
    (low, high), (ordered, deviation, mean), (posts, positives, negatives) = share, orders, quadruples
    (factors, trials, vocabulary), width = ordered.shape, vectors.shape[2]
    weights, least = np.empty((trials, factors)), math.expm1(-vocabulary / mean)
    end, last = np.searchsorted(posts, low), np.searchsorted(posts, high)
    for q in range(end, last):
        place = posts[q]
        if q == end:
            # The post's positives, which are those of its quadruples.
            while end < last and posts[end] == place:
                end += 1
            own = positives[q:end]
            # The weights |v_f| σ_f of its factors, cumulated once for all its quadruples, (G, F); a bias has v_f = 1.
            for g in range(trials):
                total = 0.0
                for f in range(width):
                    total += abs(vectors[place, g, f]) * deviation[g, f]
                    weights[g, f] = total
                for f in range(width, factors):
                    weights[g, f] = total + deviation[g, f]
        for g in range(trials):
            for n in range(len(uniform)):
                # A factor f: all are looked at, which takes less time than a search that branches.
                bound, f = uniform[n, 0, q] * weights[g, factors - 1], 0
                for before in range(factors - 1):
                    f += weights[g, before] <= bound
                # A rank: the inverse of the distribution function of e^(-r/λ) on 0 ≤ r < T.
                rank = min(int(-mean * math.log1p(uniform[n, 1, q] * least)), vocabulary - 1)
                # The tag of that rank, counted from the other end where v_f is negative.
                downward = f < width and vectors[place, g, f] < 0
                tag = ordered[f, g, vocabulary - 1 - rank if downward else rank]
                free = True
                for positive in own:
                    free &= positive != tag
                if free:
                    negatives[q, g] = tag
                    break
