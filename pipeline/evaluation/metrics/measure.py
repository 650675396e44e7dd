"""A metric at one K: the single number by which models are compared."""

import difflib
import re
from dataclasses import dataclass
from typing import Self

import numpy as np

from pipeline.evaluation.metrics.metric import Metric
from pipeline.evaluation.metrics.registry import METRICS

DEPTH = 10
"""The largest K; as many tags are suggested for a post."""


@dataclass(frozen=True)
class Measure:
    """A metric at one K, such as f1@5."""

    metric: str
    """A name in METRICS."""

    k: int
    """The number of suggestions that count, from 1 to DEPTH."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads "f1@5". Raises ValueError, with the choices, for anything that is not a measure."""
        match = re.fullmatch(r"(.*)@([1-9]\d*)", text)
        if match and match[1] in METRICS and int(match[2]) <= DEPTH:
            return cls(match[1], int(match[2]))
        near = difflib.get_close_matches(text.partition("@")[0], METRICS, n=1)
        hint = f" Did you mean {near[0]}?" if match and near and match[1] not in METRICS else ""
        choices = f"one of {', '.join(METRICS)}, @ and K from 1 to {DEPTH}, such as f1@5"
        raise ValueError(f"{text[:60]!r} is not a measure, which is {choices}.{hint}")

    def __str__(self) -> str:
        return f"{self.metric}@{self.k}"

    @property
    def label(self) -> str:
        """Its name in sentences and on axes, such as F1@5."""
        return f"{self.definition.label}@{self.k}"

    @property
    def definition(self) -> type[Metric]:
        """Its metric's class."""
        return METRICS[self.metric]

    def of(self, hits: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Measures rankings (…, posts, K or more) of posts with `sizes` tags: float64 (…), a scalar for one ranking."""
        return self.definition.at_each_k(hits[..., : self.k], sizes)[..., -1]


HEADLINE = Measure("f1", 5)
"""The measure by which results are compared, as in the paper."""
