"""Folksonomies with a known answer, and the models that must learn it."""

from collections.abc import Iterable

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from pipeline.data.schema import DATED_POST, PHOTO
from pipeline.features.store import Features
from pipeline.models.registry import ModelConfig
from pipeline.models.settings import AdaptiveNegatives, TrainingConfig, UniformNegatives

FEATURE_SETS = {"none": (), "image": ("image",), "objects": ("objects",), "image+objects": ("image", "objects")}
FACTORISATIONS = [{"kind": kind, "features": features} for kind in ("fm", "pitf") for features in FEATURE_SETS]
HISTORY = {"kind": "fm-history", "features": "image", "fading": 1.0}
"""A factorisation that knows users by their tags."""
BOTH = {"kind": "pitf-history", "features": "none", "fading": 1.0, "user_factor": True}
"""One that knows them by a factor as well."""
INTERACTIONS = [
    {"kind": kind, "features": features, "interaction": True}
    for kind, features in (("fm", "none"), ("fm", "image+objects"), ("pitf", "image+objects"))
]
"""Some in which users stretch the photos' vectors."""
VARIANTS = [BOTH, *INTERACTIONS, HISTORY | {"interaction": True}]
"""Factorisations with a setting of their own."""

TAGS = [f"t{number:02}" for number in range(12)]
POSTS = 10
DAY = 24 * 60 * 60 * 1000
TRAINING = TrainingConfig(
    factors=16,
    sigma=0.1,
    tag_vectors=None,
    optimizer="adagrad",
    learning_rate=0.05,
    decay=1.0,
    l2=1e-3,
    loss="bpr",
    negatives=UniformNegatives(kind="uniform"),
    epochs=60,
    patience=0,
    smoothing=1,
    balance=0.0,
    members=1,
    batch=16,
    curve_every=20,
)


def config(model: dict) -> ModelConfig:
    return TypeAdapter(ModelConfig).validate_python(model)


def name(model: dict) -> str:
    return "-".join([model["kind"], model["features"], *(key for key, value in model.items() if value is True)])


def noise(photos: list[str], extractors: Iterable[str], seed: int = 1) -> Features:
    """Features that say nothing about the tags."""
    rng = np.random.default_rng(seed)
    widths = {"image": 8, "objects": 4}
    matrices = {name: rng.normal(size=(len(photos), width)) / width**0.5 for name, width in widths.items()}
    records = {"image": {}, "objects": {"classes": ["one", "two", "three", "four"]}}
    return Features(
        pl.Series(photos),
        {name: matrices[name].astype(np.float32) for name in extractors},
        records={name: records[name] for name in extractors},
    )


def checkerboard(model: dict | None = None) -> tuple[pl.DataFrame, pl.DataFrame, Features]:
    """Six users of even tags, six of odd tags, three of six in a post; a new photo of each; a model's features."""
    rng = np.random.default_rng(0)
    rows = [
        (
            f"u{user:02}",
            f"p{user:02}-{number}",
            sorted(rng.choice(TAGS[user % 2 :: 2], 3, replace=False).tolist()),
            number * DAY,
        )
        for user in range(12)
        for number in range(POSTS + 1)
    ]
    posts = pl.DataFrame(rows, schema=list(DATED_POST), orient="row")
    new = posts[PHOTO].str.ends_with(f"-{POSTS}")
    extractors = FEATURE_SETS[model["features"]] if model else ()
    return posts.filter(~new), posts.filter(new), noise(posts[PHOTO].to_list(), extractors)


SHORT = TRAINING.model_copy(update={"epochs": 6, "curve_every": 2})
SOFTMAX, WARP = (SHORT.model_copy(update={"loss": loss}) for loss in ("softmax", "warp"))
ADAPTIVE = SHORT.model_copy(update={"negatives": AdaptiveNegatives(kind="adaptive", mean_rank=0.2)})


def settings(base: TrainingConfig, **choices: list) -> list[TrainingConfig]:
    """The base with each of some values of one setting."""
    ((key, values),) = choices.items()
    return [base.model_copy(update={key: value}) for value in values]
