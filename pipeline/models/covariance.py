"""Covariances of posts: sums of components, whose variances maximise the likelihood of the posts' tags."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HOUR = 3_600_000
"""Milliseconds of an hour."""

DAY = 24 * HOUR
"""Milliseconds of a day."""

SCALES = (HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY)
"""Milliseconds over which posts grow unlike: one user's bursts, outings, projects and years."""

SHARPNESS = 4.0
"""The factor of cosines in the covariance of photos that look much alike."""

ITERATIONS = 30
"""Updates of the variances; with more, scores are as good (benchmarks/README.md)."""

LEAST_NOISE = 1e-8
"""The least variance of noise, for targets of 0 and 1: without, the covariance of equal posts has no inverse."""


@dataclass(frozen=True)
class Components:
    """The products of each matrix of nearness in time and each of likeness in look, elementwise.

    They are covariances of n posts with m others.
    """

    times: np.ndarray
    """(a, n, m)."""
    looks: np.ndarray
    """(b, n, m)."""

    def weighted(self, variances: np.ndarray) -> np.ndarray:
        """Returns the sum of the components by their variances, (a, b): a covariance, (n, m)."""
        return np.einsum("anm,anm->nm", self.times, np.tensordot(variances, self.looks, axes=1))

    def inner(self, matrix: np.ndarray) -> np.ndarray:
        """Returns the inner product of each component and a matrix (n, m): (a, b)."""
        weighted = (matrix * self.looks).reshape(len(self.looks), -1)
        return self.times.reshape(len(self.times), -1) @ weighted.T


def decays(difference: np.ndarray, scales: Sequence[int]) -> np.ndarray:
    """Returns e^(−Δ / s) of differences in milliseconds, (n, m), for each scale: (scales, n, m)."""
    return np.stack([np.exp(-np.abs(difference) / scale) for scale in scales])


def own_components(difference: np.ndarray | None, cosines: Sequence[np.ndarray], same: np.ndarray) -> Components:
    """Returns the components of one user's posts: nearness in time times likeness in look, each also 1.

    difference: of posts in milliseconds, (n, m); None where no time is known. cosines: of the vectors of each
    extractor, (n, m). same: 1 where two posts have the same user, elsewhere 0, (n, m).
    """
    always = np.ones((1, *same.shape))
    times = always if difference is None else np.concatenate([always, decays(difference, SCALES)])
    looks = [same, *(same * form for cosine in cosines for form in (cosine, np.exp(SHARPNESS * (cosine - 1.0))))]
    return Components(times, np.stack(looks))


def likeliest_variances(parts: Sequence[Components], targets: np.ndarray) -> tuple[list[np.ndarray], float]:
    """Returns the variances of components, (a, b) for each of `parts`, and that of noise.

    targets: (n, T), whose columns are drawn from one normal distribution of mean 0, with the covariance C = Σ_k v_k K_k
    + σ² I. No update v_k ← v_k √(tr(Yᵀ C⁻¹ K_k C⁻¹ Y) / (T tr(C⁻¹ K_k))) lowers their likelihood. It keeps variances
    positive, and has no step length: Zhou, Hu, Qiao & Zhou, MM algorithms for variance components models, Journal of
    Computational and Graphical Statistics 2019.
    """
    posts, columns = targets.shape
    total, components = np.square(targets).mean(), sum(len(part.times) * len(part.looks) for part in parts)
    if columns > posts:
        targets = np.linalg.qr(targets.T, mode="r").T  # The updates see Y Yᵀ alone, for which n columns are enough.
    # At first, the components and noise share all variance.
    variances = [np.full((len(part.times), len(part.looks)), total / (2 * components)) for part in parts]
    noise = max(total / 2, LEAST_NOISE)
    for _ in range(ITERATIONS):
        covariance = sum(part.weighted(each) for part, each in zip(parts, variances, strict=True))
        covariance[np.diag_indices(posts)] += noise
        inverse = np.linalg.inv(covariance)
        solved = inverse @ targets
        outer = solved @ solved.T
        variances = [
            each * _growth(part.inner(outer), columns * part.inner(inverse))
            for part, each in zip(parts, variances, strict=True)
        ]
        noise = max(noise * float(_growth(np.trace(outer), columns * np.trace(inverse))), LEAST_NOISE)
    return variances, noise


def _growth(explained: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Returns the roots of ratios; 0 for a component that is 0 itself."""
    return np.sqrt(np.divide(np.maximum(explained, 0), expected, out=np.zeros_like(expected), where=expected > 0))
