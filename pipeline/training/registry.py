"""All trainers, by the names that classes of models give."""

from collections.abc import Mapping

from pipeline.models.registry import MODELS
from pipeline.models.settings import BaseModelConfig
from pipeline.training.bpr.trainer import BPRTrainer
from pipeline.training.direct import DirectTrainer
from pipeline.training.trainer import Trainer

TRAINERS: Mapping[str, Trainer] = {"direct": DirectTrainer(), "bpr": BPRTrainer()}


def trainer_of(config: BaseModelConfig) -> Trainer:
    """Returns the trainer of a model."""
    return TRAINERS[MODELS[config.kind].trainer]
