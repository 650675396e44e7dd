"""All metrics, by the names that results and settings use."""

from collections.abc import Mapping

from pipeline.evaluation.metrics.f1 import F1
from pipeline.evaluation.metrics.hit_rate import HitRate
from pipeline.evaluation.metrics.mean_average_precision import MeanAveragePrecision
from pipeline.evaluation.metrics.metric import Metric
from pipeline.evaluation.metrics.ndcg import NDCG
from pipeline.evaluation.metrics.precision import Precision
from pipeline.evaluation.metrics.recall import Recall

METRICS: Mapping[str, type[Metric]] = {
    "f1": F1,
    "precision": Precision,
    "recall": Recall,
    "ndcg": NDCG,
    "map": MeanAveragePrecision,
    "hit_rate": HitRate,
}
