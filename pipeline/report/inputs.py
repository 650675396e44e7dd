"""What a report is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class ModelInfo:
    """One row of the comparison.

    name: the key of all mappings, such as fm-ic-od; kind: fm, pitf, or that of a baseline; features: none, image,
    objects or image+objects; label: how the report calls it.
    """

    name: str
    kind: str
    features: str
    label: str


@dataclass(frozen=True)
class ReportInputs:
    """Everything that the report shows; frames as in the artifacts' contract, mappings by the models' names.

    title: the page's heading. simulated: what the source makes up, a sentence each; empty when all is real.
    stats: Table 2's numbers: users, images, tags, triples, posts, training_posts, test_posts; where the data are the
    paper's, also its own numbers (`paper`) and how far these are from them (`difference_percent`), by the same keys.
    refinement: `step` (str) and what was left after it, in columns of numbers. left_out: how many posts, photos or
    lines of its lists the source left out, by reason.
    seeds: how many trainings of each model are behind its metrics and curves, which are their means; all else is of
    the first. metrics: "f1@1", …, and "f1@1_deviation", … when there are several seeds; curves: k, precision, recall,
    f1. recommendations: user, photo, tags, scores of every test post.
    test, train: user, photo, tags. tuning: a row for each combination of a model's grid: its settings, epoch, epochs,
    f1@5 (on validation posts; null where training diverged), chosen (bool). settings: what was chosen: model (with its
    training, where it is trained), epoch and f1@5, which is None where there was nothing to choose. training: epoch,
    loss, auc, f1@5; a model without rows was not trained.
    objects: photo and vector (one probability for each of `classes`), or None; below `object_threshold` nothing
    counts. examples: user and photo of the posts to show (`choose_examples`); photos: the JPEG of each photo among
    them, or None when the source has no photos.
    extractors: the record of each feature extractor, by "image" and "objects", with at least its `name` and its
    `weights` ("seeded" when they are untrained). params, versions, seconds (of each stage): how the run was made.
    """

    title: str
    source: str
    recipe: str
    simulated: tuple[str, ...]
    stats: Mapping[str, Any]
    refinement: pl.DataFrame
    left_out: Mapping[str, int]
    models: tuple[ModelInfo, ...]
    seeds: int
    metrics: Mapping[str, Mapping[str, float]]
    curves: Mapping[str, pl.DataFrame]
    recommendations: Mapping[str, pl.DataFrame]
    test: pl.DataFrame
    train: pl.DataFrame
    tuning: Mapping[str, pl.DataFrame]
    settings: Mapping[str, Mapping[str, Any]]
    training: Mapping[str, pl.DataFrame]
    objects: pl.DataFrame | None
    classes: tuple[str, ...]
    object_threshold: float
    examples: pl.DataFrame
    photos: Mapping[str, bytes] | None
    extractors: Mapping[str, Mapping[str, Any]]
    params: Mapping[str, Any]
    versions: Mapping[str, str]
    seconds: Mapping[str, float]
