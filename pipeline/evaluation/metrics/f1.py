"""F1 at K, the paper's measure."""

import numpy as np

from pipeline.evaluation.metrics.metric import Metric
from pipeline.evaluation.metrics.precision import Precision
from pipeline.evaluation.metrics.recall import Recall


class F1(Metric):
    """The harmonic mean of average precision@K and average recall@K, 0 where both are.

    The averages over the posts come first (Eq. 10): the mean of each post's own F1 is another, smaller number.
    """

    label = "F1"
    source = "Eq. 10 of the paper"

    @staticmethod
    def of_posts(hits: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, ...]:
        return Precision.of_posts(hits, sizes) + Recall.of_posts(hits, sizes)

    @staticmethod
    def combine(*means: np.ndarray) -> np.ndarray:
        precision, recall = means
        both = precision + recall
        return 2 * precision * recall / np.where(both > 0, both, 1)
