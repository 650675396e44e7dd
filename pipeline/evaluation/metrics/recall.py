"""Recall at K."""

import numpy as np

from pipeline.evaluation.metrics.metric import Metric


class Recall(Metric):
    """The share of the post's tags that are among the first K suggestions, averaged over the posts.

    Divides by |T_ui|, which may exceed K; lenskit's divides by min(|T_ui|, K).
    """

    label = "Recall"
    source = "Eq. 10 of the paper"

    @staticmethod
    def of_posts(hits: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, ...]:
        return (hits.cumsum(axis=-1) / sizes[:, None],)
