"""Normalised discounted cumulative gain at K."""

import numpy as np

from pipeline.evaluation.metrics.metric import Metric


class NDCG(Metric):
    """The discounted gain of the first K suggestions as a share of the best possible one, averaged over the posts.

    DCG@K = Σ_{i ≤ K} hit_i / log₂(i + 1), where a hit gains 1; divided by the same sum over the first min(|T_ui|, K)
    ranks, as if all were hits. lenskit's discount, 1 / max(log₂ i, 1), weighs the first two ranks alike.
    """

    label = "NDCG"
    source = "Järvelin & Kekäläinen, ACM TOIS 20 (2002); the discount of Burges et al., ICML 2005"

    @staticmethod
    def of_posts(hits: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, ...]:
        ranks = np.arange(1, hits.shape[-1] + 1)
        discount = 1 / np.log2(ranks + 1)  # (K,)
        ideal = discount.cumsum()[np.minimum(sizes[:, None], ranks) - 1]  # (posts, K)
        return ((hits * discount).cumsum(axis=-1) / ideal,)
