"""Test posts shown with the suggestions of every model (the paper's Table 3)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.data.schema import PHOTO, POST, TAGS, USER, VECTOR
from pipeline.report.inputs import Detections, ModelInfo, ReportInputs

SUGGESTIONS = 5
OWN_TAGS = 8
OBJECTS = 6


@dataclass(frozen=True)
class Example:
    """A test post with all that models and detectors make of it."""

    user: str
    photo: str
    true: list[str]
    """The post's own tags."""

    own: list[tuple[str, int]]
    """The user's most frequent tags, with the number of training posts that have each."""

    objects: dict[str, list[tuple[str, float]]]
    """Detected classes with their probabilities, for each detector by the extractor's name."""

    suggestions: list[tuple[ModelInfo, list[tuple[str, bool]]]]
    """Each model's first tags, and which are hits."""


def choose_examples(
    test: pl.DataFrame, recommendations: Mapping[str, pl.DataFrame], count: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Draws test posts at random, each of another user: columns user and photo, sorted, at most `count` rows.

    Only posts for which every model has suggestions are drawn, whatever their scores: the examples are no selection
    of successes.
    """
    posts = test.select(*POST)
    for frame in recommendations.values():
        posts = posts.join(frame, on=POST, how="semi")
    posts = posts.sort(*POST)
    shuffled = posts[rng.permutation(posts.height)]
    return shuffled.unique(USER, keep="first", maintain_order=True).head(count).sort(*POST)


def build_examples(inputs: ReportInputs) -> list[Example]:
    """Gathers all that the report shows for each chosen post."""
    return [build_example(inputs, user, photo) for user, photo in inputs.examples.iter_rows()]


def build_example(inputs: ReportInputs, user: str, photo: str) -> Example:
    """Gathers all that the report shows for one test post. Raises polars' NoRowsReturnedError when a frame lacks it."""
    post = (pl.col(USER) == user) & (pl.col(PHOTO) == photo)
    true = inputs.test.row(by_predicate=post, named=True)[TAGS]
    suggestions = []
    for model in inputs.models:
        tags = inputs.recommendations[model.name].row(by_predicate=post, named=True)[TAGS]
        suggestions.append((model, mark_hits(tags, true)))
    objects = {name: detected(found, photo, inputs.threshold) for name, found in inputs.detections.items()}
    return Example(user, photo, true, own_tags(inputs.train, user), objects, suggestions)


def mark_hits(suggested: list[str], true: list[str]) -> list[tuple[str, bool]]:
    """Marks which of the first suggestions are tags of the post."""
    return [(tag, tag in true) for tag in suggested[:SUGGESTIONS]]


def own_tags(train: pl.DataFrame, user: str) -> list[tuple[str, int]]:
    """Counts the tags that a user put on most training posts, ties by name."""
    counts = train.filter(pl.col(USER) == user).explode(TAGS).group_by(TAGS).len()
    return counts.sort("len", TAGS, descending=[True, False]).head(OWN_TAGS).rows()


def detected(detections: Detections, photo: str, threshold: float) -> list[tuple[str, float]]:
    """Lists the likeliest classes of a photo with their probabilities, without those below the threshold."""
    vector = detections.vectors.row(by_predicate=pl.col(PHOTO) == photo, named=True)[VECTOR]
    ranked = sorted(zip(detections.classes, vector, strict=True), key=lambda pair: (-pair[1], pair[0]))
    return [(name, probability) for name, probability in ranked[:OBJECTS] if probability >= threshold]
