"""Hit rate at K."""

import numpy as np

from pipeline.evaluation.metrics.metric import Metric


class HitRate(Metric):
    """The share of posts with at least one of their tags among the first K suggestions, as in lenskit."""

    label = "Hit rate"
    source = "Deshpande & Karypis, ACM TOIS 22 (2004)"

    @staticmethod
    def of_posts(hits: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, ...]:  # noqa: ARG004 (one hit is enough)
        return (np.logical_or.accumulate(hits, axis=-1).astype(np.float64),)
