"""Scalings of feature vectors: from an extractor's output to a model's input."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from pydantic import TypeAdapter

from pipeline.files.forms import check_arrays, floats

Method = Literal["standardise", "l2", "none"]

CONSTANT = 1e-6
"""The share of its mean below which a column's deviation is only float32's rounding, and nothing to learn from."""


MAX_DEVIATIONS = 10.0
"""The distance from its mean at which a standardised number is clipped, in standard deviations.

A class found in one of thousands of training photos has so small a deviation that the next photo of it would be scaled
to a hundred times the length of others, which would drown its other features.
"""


@dataclass(frozen=True)
class Scaling:
    """A fitted scaling of one extractor's vectors, which scales new photos as it scaled those of training.

    method: each column to mean 0 and equal variance (standardise), each vector to length 1 (l2), or none.
    threshold: probabilities below it count as zero; None where the numbers are not probabilities.
    mean: of each column; empty unless the method is standardise.
    scale: the divisor of each column; empty unless the method is standardise.
    """

    method: Method
    threshold: float | None
    mean: list[float]
    scale: list[float]

    @classmethod
    def from_json(cls, note: Mapping[str, Any]) -> Self:
        """Reads what `asdict` made of it. Raises ValueError for anything else."""
        scaling = TypeAdapter(cls).validate_python(note)
        numbers = {name: np.asarray(getattr(scaling, name), np.float64) for name in ("mean", "scale")}
        length = "numbers" if scaling.method == "standardise" else 0
        positive = np.finfo(np.float64).tiny
        check_arrays(numbers, {"mean": floats(length), "scale": floats(length, least=positive)})
        return scaling

    @classmethod
    def fit(cls, vectors: np.ndarray, method: Method, threshold: float | None) -> Self:
        """Fits to the vectors of training photos, (photos, numbers). Only `standardise` has something to fit.

        Each column is divided by its deviation times the root of the number of columns: a vector's mean squared length
        is 1, as with l2, so that every context of a model starts, and learns, at the scale of the user factors.
        """
        if method != "standardise":
            return cls(method, threshold, [], [])
        vectors = drop_below(vectors, threshold)
        mean, deviation = vectors.mean(axis=0), vectors.std(axis=0)
        constant = deviation <= CONSTANT * np.abs(mean)
        scale = np.where(constant, 1.0, deviation) * np.sqrt(vectors.shape[1])
        return cls(method, threshold, mean.tolist(), scale.tolist())

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """Scales (photos, numbers) to float32.

        Standardised, a constant column becomes zero where it has its constant value, and numbers are clipped at
        MAX_DEVIATIONS.
        """
        vectors = drop_below(vectors, self.threshold)
        match self.method:
            case "standardise":
                limit = MAX_DEVIATIONS / np.sqrt(vectors.shape[1])
                vectors = np.clip((vectors - self.mean) / self.scale, -limit, limit)
            case "l2":
                length = np.linalg.norm(vectors, axis=1, keepdims=True)
                vectors = vectors / np.where(length == 0, 1, length)
        return vectors.astype(np.float32)


def drop_below(vectors: np.ndarray, threshold: float | None) -> np.ndarray:
    """Returns the vectors in float64, numbers below the threshold (where there is one) set to zero."""
    vectors = vectors.astype(np.float64)
    return vectors if threshold is None else np.where(vectors < threshold, 0.0, vectors)
