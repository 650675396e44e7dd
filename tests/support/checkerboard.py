"""Folksonomies with a known answer, and the models that must learn it."""

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from pipeline.features.store import Features
from pipeline.models.config import ModelConfig
from pipeline.training.config import AdaptiveNegatives, TrainingConfig, UniformNegatives

FEATURE_SETS = ["none", "image", "objects", "image+objects"]
FACTORISATIONS = [{"kind": kind, "features": features} for kind in ("fm", "pitf") for features in FEATURE_SETS]
SEEING = [model for model in FACTORISATIONS if model["features"] != "none"]
BLIND = [model for model in FACTORISATIONS if model["features"] == "none"]
USER_POPULAR = {"kind": "user_popular", "features": "none"}
POPULAR = {"kind": "popular", "features": "none"}
COOCCURRENCE = {"kind": "cooccurrence", "features": "none", "personal": 0.5}
NEIGHBOURS = {"kind": "neighbours", "features": "image+objects", "neighbours": 10}
OBJECT_NAMES = {"kind": "object_names", "features": "objects"}
BASELINES = [POPULAR, USER_POPULAR, COOCCURRENCE, NEIGHBOURS, OBJECT_NAMES]

TAGS = [f"t{number:02}" for number in range(12)]
POSTS = 10
TRAINING = TrainingConfig(
    factors=16,
    sigma=0.1,
    optimizer="adagrad",
    learning_rate=0.05,
    decay=1.0,
    l2=1e-3,
    negatives=UniformNegatives(kind="uniform"),
    epochs=60,
    patience=0,
    smoothing=1,
    batch=16,
    curve_every=20,
)


def config(model: dict) -> ModelConfig:
    return TypeAdapter(ModelConfig).validate_python(model)


def name(model: dict) -> str:
    return f"{model['kind']}-{model['features']}"


def noise(photos: list[str]) -> Features:
    """Features that say nothing about the tags."""
    rng = np.random.default_rng(1)
    widths = {"image": 8, "objects": 4}
    matrices = {kind: rng.normal(size=(len(photos), width)) / width**0.5 for kind, width in widths.items()}
    return Features(pl.Series(photos), {kind: matrix.astype(np.float32) for kind, matrix in matrices.items()})


def checkerboard() -> tuple[pl.DataFrame, pl.DataFrame, Features]:
    """Six users of even tags, six of odd tags, three of their six in a post; and a new photo of each user."""
    rng = np.random.default_rng(0)
    rows = [
        (f"u{user:02}", f"p{user:02}-{number}", sorted(rng.choice(TAGS[user % 2 :: 2], 3, replace=False).tolist()))
        for user in range(12)
        for number in range(POSTS + 1)
    ]
    posts = pl.DataFrame(rows, schema=["user", "photo", "tags"], orient="row")
    new = posts["photo"].str.ends_with(f"-{POSTS}")
    return posts.filter(~new), posts.filter(new), noise(posts["photo"].to_list())


SHORT = TRAINING.model_copy(update={"epochs": 6, "curve_every": 2})
ADAPTIVE = SHORT.model_copy(update={"negatives": AdaptiveNegatives(kind="adaptive", mean_rank=0.2)})


def settings(base: TrainingConfig, **choices: list) -> list[TrainingConfig]:
    """The base with each of some values of one setting."""
    ((key, values),) = choices.items()
    return [base.model_copy(update={key: value}) for value in values]
