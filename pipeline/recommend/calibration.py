"""The calibration of scores: the probability that a suggestion is right."""

from typing import Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.config import Config
from pipeline.models.newton import minimum

BINS = 10
"""Groups of suggestions, equally many in each, over which probabilities and hits are compared."""


class Calibration(Config):
    """Platt scaling: the logistic function of a score's distance from the mean of its post, in deviations.

    Distances make scores of posts comparable: on them a sigmoid measured better than on scores, and than isotonic
    regression (benchmarks/README.md). Platt, Probabilistic outputs for support vector machines, 1999.
    """

    slope: float = Field(ge=0, description="The rise of the log-odds with each deviation.")
    offset: float = Field(description="The log-odds at the mean.")

    @classmethod
    def fit(cls, scores: np.ndarray, top: np.ndarray, hits: np.ndarray) -> Self:
        """Fits to suggestions for posts that the model has not learnt from.

        scores: of all tags, (posts, T); top: the positions of the suggested tags, (posts, n); hits: bool (posts, n),
        the suggestions that are right. The targets are Platt's: short of 0 and 1, as if one more of each had been seen.
        """
        inputs = np.stack([np.ones(top.size), distances(scores, top).ravel()])  # (2, suggestions)
        right = hits.sum()
        targets = np.where(hits.ravel(), (right + 1) / (right + 2), 1 / (hits.size - right + 2))

        def derivatives(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            found = sigmoid(weights @ inputs)
            return inputs @ (found - targets), (inputs * (found * (1 - found))) @ inputs.T + 1e-9 * np.eye(2)

        offset, slope = minimum(derivatives, np.zeros(2))
        if slope < 0:  # The scores say nothing: all suggestions are equally probable.
            offset, slope = np.log(targets.mean() / (1 - targets.mean())), 0.0
        return cls(slope=float(slope), offset=float(offset))

    def probabilities(self, scores: np.ndarray, top: np.ndarray) -> np.ndarray:
        """Returns the probability of each of some tags, (posts, n); shapes as in `fit`."""
        return sigmoid(self.offset + self.slope * distances(scores, top))


def distances(scores: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Returns the distance of some tags' scores from their post's mean, in deviations, (posts, n)."""
    scores = scores.astype(np.float64)
    mean, deviation = (each(scores, axis=1, keepdims=True) for each in (np.mean, np.std))
    return (np.take_along_axis(scores, top, axis=1) - mean) / np.where(deviation > 0, deviation, 1)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + e^−x), without overflow."""
    return (1 + np.tanh(x / 2)) / 2


def reliability(probabilities: np.ndarray, hits: np.ndarray) -> pl.DataFrame:
    """Compares probabilities with hits, of equal shapes, in groups of suggestions with similar probabilities.

    Returns a row for each group, least probable first: suggestions, their number; predicted, the mean probability;
    observed, the share of hits. Groups are equally large; there are fewer where there are fewer suggestions than BINS.
    """
    order = np.argsort(probabilities, axis=None, kind="stable")
    groups = [group for group in np.array_split(order, BINS) if group.size]
    return pl.DataFrame(
        {
            "suggestions": [group.size for group in groups],
            "predicted": [float(probabilities.ravel()[group].mean()) for group in groups],
            "observed": [float(hits.ravel()[group].mean()) for group in groups],
        },
        schema={"suggestions": pl.Int64, "predicted": pl.Float64, "observed": pl.Float64},
    )


def expected_calibration_error(reliability: pl.DataFrame) -> float:
    """Averages the gaps between predicted and observed over all suggestions (Naeini et al., AAAI 2015)."""
    gap = (pl.col("predicted") - pl.col("observed")).abs()
    return reliability.select((gap * pl.col("suggestions")).sum() / pl.col("suggestions").sum()).item()
