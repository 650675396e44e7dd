"""The interface of a metric."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np


class Metric(ABC):
    """A measure of rankings at K: numbers of each post, averaged over the posts, then combined into one.

    The three steps are apart so that a bootstrap can weigh the posts anew. A metric has no state: its class is used.
    """

    label: ClassVar[str]
    """Its name in sentences and on axes, such as F1."""

    source: ClassVar[str]
    """The source of its definition: an equation of the paper, or a publication."""

    @staticmethod
    @abstractmethod
    def of_posts(hits: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, ...]:
        """Returns the numbers of each post that are averaged.

        Each is a float64 array (…, posts, K) for K = 1, 2, …

        `hits`: true where the suggestion at a rank is a tag of the post, bool (…, posts, K); `sizes`: |T_ui|, the
        number of the post's tags, int64 (posts,), at least 1.
        """

    @staticmethod
    def combine(*means: np.ndarray) -> np.ndarray:
        """Combines the averages of `of_posts`, in its order, into the metric; a single one is the metric itself."""
        (mean,) = means
        return mean

    @classmethod
    def at_each_k(cls, hits: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Measures rankings (…, posts, K) of the same posts at every K: float64 (…, K)."""
        return cls.combine(*(numbers.mean(axis=-2) for numbers in cls.of_posts(hits, sizes)))
