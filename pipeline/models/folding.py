"""The folding in of a user: a factor learnt from tagged posts, everything else of the model held."""

import numpy as np

STRENGTH = 0.03
"""The pull to the prior, in assignments' loss for each squared unit: what measured best (benchmarks/README.md)."""

STEPS = 30
"""Newton's steps, at most; about six are needed."""

CLOSE = 1e-3
"""The length of a step, as a share of the factor's, that ends the steps."""

CHUNK = 1 << 17
"""Differences of scores that are worked on at a time: they stay in the processor's cache."""


def learn_user(tags: np.ndarray, others: np.ndarray, positives: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Returns the user factor u that minimises the loss of BPR on a user's posts, (k,) float64.

    tags: the tag factors that u meets, (T, k); others: the scores that all other contexts give, (posts, T); positives:
    bool (posts, T), in each row some and not all. The loss is −ln σ(ŷ_p − ŷ_n), averaged over the negatives n of a
    post, as uniform ones are in expectation, and summed over positives p; plus STRENGTH · ‖u − prior‖² / 2. It is
    convex in u: Newton's method finds the one minimum, without a draw.
    """
    tags, others, u = (array.astype(np.float64) for array in (tags, others, prior))
    gradient, hessian = derivatives(u, tags, others, positives, prior)
    step = np.linalg.solve(hessian, gradient)
    for _ in range(STEPS):
        there, hessian = derivatives(u - step, tags, others, positives, prior)
        if -there @ step > gradient @ step:  # Beyond the minimum the slope is steeper than here: half the way.
            step = step / 2
            continue
        u, gradient = u - step, there
        if np.linalg.norm(step) <= CLOSE * np.linalg.norm(u):
            break
        step = np.linalg.solve(hessian, gradient)
    return u


def derivatives(
    u: np.ndarray, tags: np.ndarray, others: np.ndarray, positives: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the gradient (k,) and the Hessian (k, k) of the loss at u.

    Those of one difference x = ŷ_p − ŷ_n are −σ(−x) (v_p − v_n) and σ(x) σ(−x) (v_p − v_n)(v_p − v_n)ᵀ. So the sums
    over all differences need only sums over tags, and the products of each positive with its negatives.
    """
    scores = others + tags @ u
    shares = ~positives / (~positives).sum(axis=1, keepdims=True)  # of each negative in its post, (posts, T)
    post, positive = np.nonzero(positives)
    slopes, curvatures = np.zeros(len(tags)), np.zeros(len(tags))
    crossed = np.zeros((len(u), len(u)))
    size = max(1, CHUNK // len(tags))
    for low in range(0, len(post), size):
        rows, own = post[low : low + size], positive[low : low + size]
        # σ(−x), written so that it does not overflow, of each assignment and each tag, (Q, T); weighted.
        wrong = (1 - np.tanh((scores[rows, own][:, None] - scores[rows]) / 2)) / 2
        slope = shares[rows] * wrong
        curvature = slope * (1 - wrong)
        # What falls on the negatives, and on the positives.
        slopes -= slope.sum(axis=0)
        curvatures += curvature.sum(axis=0)
        np.add.at(slopes, own, slope.sum(axis=1))
        np.add.at(curvatures, own, curvature.sum(axis=1))
        crossed += tags[own].T @ (curvature @ tags)
    gradient = STRENGTH * (u - prior) - slopes @ tags
    return gradient, STRENGTH * np.eye(len(u)) + (tags.T * curvatures) @ tags - crossed - crossed.T
