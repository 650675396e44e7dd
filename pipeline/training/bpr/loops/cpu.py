"""What training does once a quadruple and once a parameter, compiled for the CPU.

Tensor operations read and write everything many times over; these loops keep a quadruple's rows in the first cache.
They run on one thread, in the order of the quadruples, so that a seed always gives the same bytes. `tensors.py` has the
same functions as tensor operations, for a GPU, and tests hold the two to each other.
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numba import njit
from torch import Tensor

FAST = {"reassoc", "contract", "arcp", "nsz"}
"""What lets sums run many numbers at a time and √ be rounded once more; nothing that presumes there is no infinity."""


def compiled(loop: Callable[..., None]) -> Callable[..., None]:
    """A loop over arrays, compiled, to be called with tensors that share their memory."""
    fast = njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)(loop)

    @wraps(loop)
    def call(*arguments: Any) -> None:
        fast(*(one.numpy() if isinstance(one, Tensor) else one for one in arguments))

    return call


@compiled
def draw(posts, starts, counts, tags, gaps, vocabulary, uniform, positive, negative, position):
    """All positives of some posts, a negative for each, and its post's place among them: fills three (Q,).

    posts: (B,); starts, counts, tags, gaps and vocabulary as in `TrainingPosts`; uniform: (Q,) in [0, 1). With r
    uniform over the tags that are no positives, each positive with at most r of them below makes it one more.
    """
    q = 0
    for place in range(len(posts)):
        first = starts[posts[place]]
        last = first + counts[posts[place]]
        for own in range(first, last):
            drawn = int(uniform[q] * (vocabulary - (last - first)))
            other = drawn
            for below in range(first, last):
                other += gaps[below] <= drawn  # Without a branch, which nothing could predict.
            positive[q], negative[q], position[q] = tags[own], other, place
            q += 1


@compiled
def add_rows(table, rows, part):
    """Adds rows (B,) of a table (rows, G, columns) to a part of the posts' vectors, (B, G, columns); −1 is none."""
    for place in range(len(rows)):
        if rows[place] < 0:
            continue
        for g in range(part.shape[1]):
            source, target = table[rows[place], g], part[place, g]
            for c in range(len(target)):
                target[c] += source[c]


@compiled
def add_to_rows(part, rows, sizes, slope, uses):
    """The other way round: adds a part of the vectors' gradients to rows of a slope, and sizes (B,) to their uses."""
    for place in range(len(rows)):
        for g in range(part.shape[1]):
            source, target = part[place, g], slope[rows[place], g]
            for c in range(len(source)):
                target[c] += source[c]
        uses[rows[place], 0, 0] += sizes[place]


@compiled
def add_pairs(tag, bias, vectors, post, positive, negative, margin, outer, tag_slope, bias_slope, uses):
    """Eq. 9 for Q quadruples and G trials.

    Reads tag (T, G, W), bias (T, G, 1), or (0, G, 1) without one, vectors (B, G, W), post and positive (Q,), negative
    (Q, G) or (Q, 1). Fills margin (Q, G), ŷ'; adds to the gradients of the vectors (`outer`), tag and bias, and to uses
    (T, G, 1) how often each tag occurs.
    """
    width, has_bias, own = tag.shape[2], len(bias) > 0, negative.shape[1] > 1
    for q in range(len(post)):
        a = positive[q]
        for g in range(tag.shape[1]):
            b = negative[q, g if own else 0]
            vector, liked, other = vectors[post[q], g], tag[a, g], tag[b, g]
            total = tag.dtype.type(0)
            for c in range(width):
                total += vector[c] * (liked[c] - other[c])
            if has_bias:
                total += bias[a, g, 0] - bias[b, g, 0]
            margin[q, g] = total
            small = math.exp(-abs(total))
            share = tag.dtype.type((small if total > 0 else 1) / (1 + small))
            part = outer[post[q], g]
            for c in range(width):
                part[c] -= share * (liked[c] - other[c])
            up = tag_slope[a, g]
            for c in range(width):
                up[c] -= share * vector[c]
            down = tag_slope[b, g]
            for c in range(width):
                down[c] += share * vector[c]
            uses[a, g, 0] += 1
            uses[b, g, 0] += 1
            if has_bias:
                bias_slope[a, g, 0] -= share
                bias_slope[b, g, 0] += share


@compiled
def sgd(rows, parameter, gradient, uses, rates, l2):
    """θ ← θ − α (g + λ n θ) for some rows, where n is how often a quadruple uses it; g and n are set to zero."""
    for row in rows:
        for g in range(parameter.shape[1]):
            n = uses[row, g if uses.shape[1] > 1 else 0, 0]
            if n == 0:
                continue
            theta, slope, rate, decay = parameter[row, g], gradient[row, g], rates[g], l2[g] * n
            for c in range(len(theta)):
                theta[c] -= rate * (slope[c] + decay * theta[c])
                slope[c] = 0
        uses[row] = 0


@compiled
def adagrad(rows, parameter, gradient, uses, rates, l2, sums):
    """θ ← θ − α g / √(Σ g²) with g ← g + λ n θ, for some rows, as in `sgd`."""
    for row in rows:
        for g in range(parameter.shape[1]):
            n = uses[row, g if uses.shape[1] > 1 else 0, 0]
            if n == 0:
                continue
            theta, slope, total, rate, decay = parameter[row, g], gradient[row, g], sums[row, g], rates[g], l2[g] * n
            for c in range(len(theta)):
                step = slope[c] + decay * theta[c]
                total[c] += step * step
                theta[c] -= rate * step / np.sqrt(total[c])
                slope[c] = 0
        uses[row] = 0


@compiled
def best(scores, top):
    """The places of the highest scores of each row, best first, of equals the first.

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
