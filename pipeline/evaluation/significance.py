"""The significance of single and of multiple differences, and the fewest posts and users for it."""

from math import erfc, sqrt

import numpy as np

FEWEST_POSTS = 30
"""The fewest posts for which an interval can be trusted: resamples of fewer are too much alike."""

FEWEST_USERS = 20
"""The fewest users for which an interval over users can be trusted: with fewer it tends to be too narrow."""


def two_sided(difference: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Returns the two-sided p-values of differences with these standard deviations, by the normal distribution.

    Where the deviation is zero, p is 0 for any difference, and 1 for none.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.abs(difference) / deviation
    return np.vectorize(lambda z: erfc(z / sqrt(2)), otypes=[float])(np.nan_to_num(score, nan=0.0))


def holm(p: np.ndarray) -> np.ndarray:
    """Adjusts p-values for the number of comparisons (Holm 1979): (comparisons, …), each column by itself.

    The i-th smallest of n is multiplied by n - i + 1, and is at least as large as those before it. Where all of at most
    α are called significant, there is a false one among them with a probability of at most α.
    """
    order = p.argsort(axis=0, kind="stable")
    factors = np.arange(len(p), 0, -1).reshape(-1, *[1] * (p.ndim - 1))
    rising = np.maximum.accumulate(np.take_along_axis(p, order, axis=0) * factors, axis=0)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(rising, 1), axis=0)
    return adjusted
