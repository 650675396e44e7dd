"""Quadruples: drawn, made harder, and added to gradients, by loops compiled for the CPU.

Tensor operations read and write everything many times over; these loops keep a quadruple's rows in the first cache.
Each number has one thread that adds to it, in the order of the quadruples, so that a seed always gives the same bytes.

Letters of shapes: B posts, P all posts, Q quadruples, S positive tags of all posts, T tags, F factors and perhaps the
bias, G trials, W columns of the tag factors. A use is a tag in a quadruple, as its positive or as its negative.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.training.bpr.loops.compiling import as_arrays, compiled, helper
from pipeline.training.bpr.threads import LOOP_COST, in_halves

DIGIT_BITS = 11
"""The bits by which numbers are sorted at a time."""

SORT_COST = 384
"""Multiplications in a product that take as long as to sort a number of 32 bits."""


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
            trial, vector, of_vector = g if separate else 0, vectors[post, g], gradients[post, g]
            # ŷ' = ŷ(t⁺) − ŷ(t⁻), of three rows (W,).
            for q in range(first, end):
                a, b = positives[q], negatives[q, trial]
                positive, negative, total = factors[a, g], factors[b, g], factors.dtype.type(0)
                for c in range(width):
                    total += vector[c] * (positive[c] - negative[c])
                margin[q, g] = total + (bias[a, g, 0] - bias[b, g, 0]) if len(bias) else total
            # 1 − σ(ŷ'), the first factor of Eq. 9, written so that e^x cannot overflow.
            for q in range(first, end):
                small = math.exp(-abs(margin[q, g]))
                weights[q, g] = (small if margin[q, g] > 0 else 1) / (1 + small)
            # The weights times the derivatives of ŷ', rows (W,).
            for q in range(first, end):
                positive, negative = factors[positives[q], g], factors[negatives[q, trial], g]
                weight = weights[q, g]
                for c in range(width):
                    of_vector[c] -= weight * (positive[c] - negative[c])
        first = end


@compiled
def _add_to_tags(share, vectors, quadruples, weights, gradients):
    """Adds a share of the tags' uses, 2 Q in all, to the tags' gradients; a tag's uses stay together."""
    (low, high), (posts, positives, negatives) = share, quadruples
    _, (of_factors, of_bias), occurrences = gradients
    (vocabulary, trials, width), size, separate = of_factors.shape, 2 * len(posts), negatives.shape[1] > 1
    tags, uses = np.empty((2, size), np.uint32), np.empty((2, size), np.uint32)
    for g in range(trials):
        # Use 2 q is the positive of q, 2 q + 1 its negative. Each thread sorts all: to wait for another takes longer.
        if separate or g == 0:
            tags[0, 0::2], tags[0, 1::2], uses[0] = positives, negatives[:, g], np.arange(size)
            ordered = _sort(tags, uses, vocabulary)
        tag, use = tags[ordered], uses[ordered]
        # All uses of a tag belong to the share in which they begin.
        at, end = low, high
        while 0 < at < size and tag[at] == tag[at - 1]:
            at += 1
        while end < size and tag[end] == tag[end - 1]:
            end += 1
        # Tag by tag, so that a gradient is summed in the first cache.
        while at < end:
            first, t = at, tag[at]
            row = of_factors[t, g]
            while at < end and tag[at] == t:
                q = use[at] >> 1
                weight, vector = weights[q, g] if use[at] & 1 else -weights[q, g], vectors[posts[q], g]
                for c in range(width):
                    row[c] += weight * vector[c]
                if len(of_bias):
                    of_bias[t, g, 0] += weight
                at += 1
            occurrences[t, g, 0] += at - first


@helper
def _sort(keys, carried, bound):
    """Sorts numbers below a bound by a radix sort, equal ones as they stand; returns the result's row.

    keys, and the numbers carried with them: (2, N) uint32, of which the first row is filled.
    """
    places, source, shift = np.empty(1 << DIGIT_BITS, np.int32), 0, 0
    # From the lowest digit to the highest, each pass keeps the order of those before among equal digits.
    while bound - 1 >> shift:
        target = 1 - source
        places[:] = 0
        for key in keys[source]:
            places[key >> shift & (1 << DIGIT_BITS) - 1] += 1
        first = 0
        for digit in range(1 << DIGIT_BITS):
            first, places[digit] = first + places[digit], first
        for at in range(keys.shape[1]):
            digit = keys[source, at] >> shift & (1 << DIGIT_BITS) - 1
            keys[target, places[digit]], carried[target, places[digit]] = keys[source, at], carried[source, at]
            places[digit] += 1
        source, shift = target, shift + DIGIT_BITS
    return source


def order(columns: Tensor) -> Tensor:
    """Orders the tags by columns (F, G, T) float32, highest first, (F, G, T) int32; equal ones as they stand."""
    bits, ordered = columns.contiguous().view(torch.int32), torch.empty(columns.shape, dtype=torch.int32)
    in_halves(lambda low, high: _order(bits[low:high], ordered[low:high]), len(bits), bits.numel() * SORT_COST)
    return ordered


@compiled
def _order(columns, ordered):
    """Fills ordered (F, G, T); columns: the bits of float32, (F, G, T) int32."""
    factors, trials, tags = columns.shape
    keys, tag = np.empty((2, tags), np.uint32), np.empty((2, tags), np.uint32)
    for f in range(factors):
        for g in range(trials):
            # Keys that ascend as the numbers descend: of positive ones the bits ascend, else they descend.
            for t in range(tags):
                bits = columns[f, g, t]
                keys[0, t], tag[0, t] = 0x7FFFFFFF - bits if bits >= 0 else bits, t
            ordered[f, g] = tag[_sort(keys, tag, 1 << 32)]


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
