"""Mean average precision at K."""

import numpy as np

from pipeline.evaluation.metrics.metric import Metric
from pipeline.evaluation.metrics.precision import Precision


class MeanAveragePrecision(Metric):
    """The precision at the rank of each hit, averaged over all hits possible, then over the posts.

    AP@K = Σ_{i ≤ K} hit_i · precision@i / min(|T_ui|, K). lenskit's divides by min(|T_ui|, number suggested), which
    differs where fewer than K tags are suggested.
    """

    label = "MAP"
    source = "Manning, Raghavan & Schütze, Introduction to Information Retrieval (2008), Section 8.4, cut off at K"

    @staticmethod
    def of_posts(hits: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, ...]:
        (precision,) = Precision.of_posts(hits, sizes)
        possible = np.minimum(sizes[:, None], np.arange(1, hits.shape[-1] + 1))  # (posts, K)
        return ((hits * precision).cumsum(axis=-1) / possible,)
