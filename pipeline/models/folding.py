"""The folding in of a user: a factor learnt from tagged posts, everything else of the model held."""

import numpy as np

from pipeline.models.newton import minimum

NEW_STRENGTH, KNOWN_STRENGTH = 0.02, 0.3
"""The strength of the pull to the prior: zero for a new user, their factor for a known one.

They measured best on real and on rendered photos (benchmarks/README.md).
"""

DIFFERENCES_PER_CHUNK = 1 << 17
"""Differences of scores that are worked on at a time: they stay in the processor's cache."""


def learn_user(
    tags: np.ndarray, others: np.ndarray, positives: np.ndarray, prior: np.ndarray, strength: float
) -> np.ndarray:
    """Returns the user factor u that minimises the loss of BPR on a user's posts, (k,) float64.

    tags: the tag factors that u meets, (T, k); others: the scores that all other contexts give, (posts, T); positives:
    bool (posts, T), in each row some and not all. The loss is −ln σ(ŷ_p − ŷ_n), averaged over the negatives n of a
    post, as uniform ones are in expectation, and summed over positives p; plus strength · ‖u − prior‖² / 2. It is
    convex in u: Newton's method finds the one minimum, without a draw.
    """
    tags, others = tags.astype(np.float64), others.astype(np.float64)
    prior, pull = prior.astype(np.float64), strength * np.eye(len(prior))

    def penalised(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gradient, hessian = derivatives(tags, others + tags @ u, positives)
        return gradient + pull @ (u - prior), hessian + pull

    return minimum(penalised, prior)


def derivatives(tags: np.ndarray, scores: np.ndarray, positives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the gradient (k,) and the Hessian (k, k) of the loss of scores (posts, T) by the user factor.

    Those of one difference x = ŷ_p − ŷ_n are −σ(−x) (v_p − v_n) and σ(x) σ(−x) (v_p − v_n)(v_p − v_n)ᵀ. So the sums
    over all differences need only sums over tags, and the products of each positive with its negatives.
    """
    shares = ~positives / (~positives).sum(axis=1, keepdims=True)  # of each negative in its post, (posts, T)
    post, positive = np.nonzero(positives)
    slopes, curvatures = np.zeros(len(tags)), np.zeros(len(tags))
    crossed = np.zeros((tags.shape[1], tags.shape[1]))
    size = max(1, DIFFERENCES_PER_CHUNK // len(tags))
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
    return -slopes @ tags, (tags.T * curvatures) @ tags - crossed - crossed.T
