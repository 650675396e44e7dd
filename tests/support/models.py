"""Every kind of model with every feature set that it takes, built from the registry."""

from functools import cache
from typing import Any

import polars as pl
from pydantic import TypeAdapter, ValidationError

from pipeline.features.store import Features
from pipeline.models.blend import BlendConfig
from pipeline.models.model import Model
from pipeline.models.registry import BLENDS as BLEND_KINDS
from pipeline.models.registry import KINDS, MODELS, ModelConfig
from pipeline.models.settings import BaseModelConfig
from pipeline.training.blend import Candidates, fit_blend
from pipeline.training.fit import complete, fit
from pipeline.training.task import F1_AT_5, TrainingTask
from tests.support.checkerboard import FEATURE_SETS, TRAINING, checkerboard

VARIANTS = {
    "fm with an interaction": {"kind": "fm", "interaction": True},
    "pitf with an interaction": {"kind": "pitf", "interaction": True},
    "fm-history with a factor": {"kind": "fm-history", "user_factor": True},
    "pitf-history with a factor and an interaction": {"kind": "pitf-history", "user_factor": True, "interaction": True},
}
"""Settings of variants of a kind of model, by a name that stands for the kind in tests."""

WITHOUT_DETECTOR = {("object-names", "image")}
"""Kinds that need a detector, with a set that has none."""


def example(kind: str, features: str) -> dict[str, Any]:
    """The settings of a model; those without a default have the example of their field."""
    fields = class_of(kind).Config.model_fields
    needed = {name: of.examples[0] for name, of in fields.items() if of.is_required() and of.examples}
    return {"kind": kind, "features": features} | needed | VARIANTS.get(kind, {})


def class_of(kind: str) -> type[Model]:
    """The class of a kind of model, or of a variant."""
    return KINDS[VARIANTS.get(kind, {"kind": kind})["kind"]]


def config(kind: str, features: str) -> BaseModelConfig:
    """The same as a configuration, complete."""
    return complete(TypeAdapter(ModelConfig).validate_python(example(kind, features)), TRAINING)


def is_taken(kind: str, features: str) -> bool:
    """Tests if a kind of model takes a feature set."""
    try:
        config(kind, features)
    except ValidationError:
        return False
    return (kind, features) not in WITHOUT_DETECTOR


CASES = [(kind, features) for kind in (*MODELS, *VARIANTS) for features in FEATURE_SETS if is_taken(kind, features)]


BLENDED = {"recency": 0.5, "pitf": 1.0}
"""The models of a blend, with their weights: one counts, the other sees whatever the blend may see."""

BLENDS = [(kind, features) for kind in ("blend", "lambdarank") for features in FEATURE_SETS]


def blend_config(kind: str, features: str) -> BlendConfig:
    """The configuration of a blend with weights."""
    trees = {"trees": 20} if kind == "lambdarank" else {}
    return BLEND_KINDS[kind].Config.model_validate({"kind": kind, "features": features, "models": BLENDED} | trees)


def fitted(kind: str, features: str, posts: pl.DataFrame, seen: Features) -> Model:
    """A model fitted to posts, or a blend of such models."""
    if kind in BLEND_KINDS:
        sights = {"recency": ("none", Features(seen.photos, {})), "pitf": (features, seen)}
        models = {name: fitted(name, sees, posts, of) for name, (sees, of) in sights.items()}
        candidates = Candidates.of([*models.values()], posts, seen, len(models["pitf"].tags), for_trees=True)
        return fit_blend(blend_config(kind, features), candidates, F1_AT_5).of(models)
    return fit(config(kind, features), TrainingTask(posts, None, seen, 0)).model


def without_days(model: Model) -> Model:
    """The model without what it has learnt of days, which it forgets when it leaves out users."""
    days = {name: model.tensors[name][:0] for name in ("days", "weights_of_days") if name in model.tensors}
    return type(model)(model.config, model.names, model.tensors | days, model.extractors) if days else model


@cache
def on_checkerboard(kind: str, features: str) -> Model:
    """A model fitted to the checkerboard."""
    posts, _, seen = checkerboard({"features": features})
    return fitted(kind, features, posts, seen)
