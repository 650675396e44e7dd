"""The loops of training for a CPU: those over rows and over bags of tags, and all others, imported.

`gpu.py` has the same functions as tensor operations. Records stand beside the loops that take them: numba sees changes
of a loop's own file alone.

Letters of shapes: B posts, P all posts, T tags, N tags of all bags, G trials, W columns of the tag factors.
"""

from typing import NamedTuple

from torch import Tensor

from pipeline.training.bpr.loops.compiling import compiled
from pipeline.training.bpr.loops.quadruples import add_quadruples, draw, harden, order
from pipeline.training.bpr.loops.stepping import adagrad, bind, sgd

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
