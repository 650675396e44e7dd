"""What training does once a quadruple and once a parameter, compiled for the CPU.

Tensor operations read and write everything many times over; these loops keep a quadruple's rows in the first cache.
They run on one thread, in the order of the quadruples, so that a seed always gives the same bytes. `gradients.py` and
`optimizers.py` have the same sums as tensor operations, for a GPU, and a test holds the two to each other.
"""

import math

import numpy as np
from numba import njit

# What lets sums run eight numbers at a time, but not what presumes that there is no infinity: divergence must show.
compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})


@compiled
def add_pairs(
    tag, bias, vectors, post, positive, negative, tag_gradient, bias_gradient, outer, uses, loss, right
):  # fmt: skip
    """Eq. 9 for Q quadruples and G trials.

    Reads tag (T, G, W), bias (T, G, 1), or (0, G, 1) without one, vectors (B, G, W), post and positive (Q,), negative
    (Q, G) or (Q, 1). Adds to the gradients of tag and bias, and of the vectors (`outer`); to uses (T, G, 1) how often
    each tag occurs; to loss (G,) −ln σ(ŷ') and to right (G,) the number of quadruples that are ranked right.
    """
    width, has_bias, own = tag.shape[2], len(bias) > 0, negative.shape[1] > 1
    for q in range(len(post)):
        a = positive[q]
        for g in range(tag.shape[1]):
            b = negative[q, g if own else 0]
            vector, liked, other = vectors[post[q], g], tag[a, g], tag[b, g]
            margin = vector[0] * 0
            for c in range(width):
                margin += vector[c] * (liked[c] - other[c])
            if has_bias:
                margin += bias[a, g, 0] - bias[b, g, 0]
            small = math.exp(-abs(margin))
            weight = tag.dtype.type((small if margin > 0 else 1) / (1 + small))
            loss[g] += math.log1p(small) - min(margin, 0)
            right[g] += margin > 0
            part = outer[post[q], g]
            for c in range(width):
                part[c] -= weight * (liked[c] - other[c])
            up = tag_gradient[a, g]
            for c in range(width):
                up[c] -= weight * vector[c]
            down = tag_gradient[b, g]
            for c in range(width):
                down[c] += weight * vector[c]
            if has_bias:
                bias_gradient[a, g, 0] -= weight
                bias_gradient[b, g, 0] += weight
            uses[a, g, 0] += 1
            uses[b, g, 0] += 1


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
