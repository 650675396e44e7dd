"""Precision at K."""

import numpy as np

from pipeline.evaluation.metrics.metric import Metric


class Precision(Metric):
    """The share of the first K suggestions that are tags of the post, averaged over the posts.

    Divides by K even where fewer tags are suggested; lenskit's divides by the number suggested.
    """

    label = "Precision"
    source = "Eq. 10 of the paper"

    @staticmethod
    def of_posts(hits: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, ...]:  # noqa: ARG004 (recall's denominator)
        return (hits.cumsum(axis=-1) / np.arange(1, hits.shape[-1] + 1),)
