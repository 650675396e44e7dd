"""The calibration of scores: the probability that a suggestion is right."""

from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from pydantic import Field, ValidationError

from pipeline.config import Config
from pipeline.errors import ArtifactError, one_line
from pipeline.files.texts import read_json
from pipeline.models.newton import minimum

BINS = 10
"""Groups of suggestions, equally many in each, over which probabilities and hits are compared."""

RIDGE = 1e-3
"""The weight of the squared coefficients in the loss."""


MAX_COEFFICIENT = 1e9
"""The greatest magnitude of a coefficient, so that probabilities cannot overflow."""


class Calibration(Config):
    """Platt scaling by two numbers: a score, and its distance from the mean of its post in deviations.

    Distances make posts comparable, and scores are low where little is known of a user. On both a sigmoid measured
    better than on one of them, and than isotonic regression (benchmarks/README.md). Platt, Probabilistic outputs for
    support vector machines and comparisons to regularized likelihood methods, 1999.
    """

    offset: float = Field(
        ge=-MAX_COEFFICIENT, le=MAX_COEFFICIENT, description="The log-odds where both numbers are zero."
    )
    distance: float = Field(
        ge=0, le=MAX_COEFFICIENT, description="The rise of the log-odds with each deviation from the mean."
    )
    score: float = Field(ge=0, le=MAX_COEFFICIENT, description="The rise of the log-odds with each unit of the score.")

    @classmethod
    def fit(cls, scores: np.ndarray, top: np.ndarray, hits: np.ndarray) -> Self:
        """Fits to suggestions for posts that the model has not learnt from, asked with their user and without.

        scores: of all tags, (posts, T); top: the positions of the suggested tags, (posts, n); hits: bool (posts, n),
        the suggestions that are right. The targets are Platt's: short of 0 and 1, as if one more of each had been seen.
        A number that would lower the log-odds is left out, so that probabilities never fall where scores rise.
        """
        inputs = np.stack([np.ones(top.size), *(numbers.ravel() for numbers in _inputs(scores, top))])  # (3, n · posts)
        right = hits.sum()
        targets = np.where(hits.ravel(), (right + 1) / (right + 2), 1 / (hits.size - right + 2))
        weights, used = np.zeros(3), [0, 1, 2]
        while True:
            weights[used] = minimum(partial(_derivatives, inputs[used], targets), np.zeros(len(used)))
            if (weights[1:] >= 0).all():
                return cls(offset=float(weights[0]), distance=float(weights[1]), score=float(weights[2]))
            lowest = 1 + int(weights[1:].argmin())
            used.remove(lowest)
            weights[lowest] = 0

    def probabilities(self, scores: np.ndarray, top: np.ndarray) -> np.ndarray:
        """Returns the probability of each of some tags, (posts, n); shapes as in `fit`."""
        distances, found = _inputs(scores, top)
        return sigmoid(self.offset + self.distance * distances + self.score * found)


class Calibrated(Config):
    """The outcome of calibration for the model that suggests tags for new photos."""

    model: str = Field(description="The model's name.")
    calibration: Calibration = Field(description="The way from its scores to probabilities.")
    given: float = Field(description="The weight of tags that a photo has already.")

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Reads it from JSON; None where there was nothing to calibrate on.

        Raises ArtifactError when the file is missing or holds anything else.
        """
        value = read_json(path)
        try:
            return None if value is None else cls.model_validate(value)
        except ValidationError as error:
            raise ArtifactError(f"{path} holds no calibration ({one_line(error)}).") from None


def _inputs(scores: np.ndarray, top: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distances and the scores of some tags, (posts, n) each."""
    return distances(scores, top), np.take_along_axis(scores, top, axis=1).astype(np.float64)


def _derivatives(inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the gradient and the Hessian of the logistic loss, with an L2 penalty, for correlated inputs."""
    found = sigmoid(weights @ inputs)
    hessian = (inputs * (found * (1 - found))) @ inputs.T
    return inputs @ (found - targets) + RIDGE * weights, hessian + RIDGE * np.eye(len(weights))


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
