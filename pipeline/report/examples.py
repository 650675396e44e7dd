"""Test posts shown with what every model suggests for them (the paper's Table 3)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.report.inputs import ModelInfo, ReportInputs

SUGGESTIONS = 5
OWN_TAGS = 8
OBJECTS = 6


@dataclass(frozen=True)
class Example:
    """own: the user's most frequent tags with how many training posts have each; objects: detected classes with their
    probabilities, None when no detector ran; suggestions: for each model its first tags, and which are hits.
    """

    user: str
    photo: str
    true: list[str]
    own: list[tuple[str, int]]
    objects: list[tuple[str, float]] | None
    suggestions: list[tuple[ModelInfo, list[tuple[str, bool]]]]


def choose_examples(
    test: pl.DataFrame, recommendations: Mapping[str, pl.DataFrame], count: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Draws test posts at random, each of another user: columns user and photo, sorted, at most `count` rows.

    Only posts that every model has suggestions for are drawn. Nothing else has a say: the examples are no selection
    of successes.
    """
    posts = test.select("user", "photo")
    for frame in recommendations.values():
        posts = posts.join(frame, on=["user", "photo"], how="semi")
    posts = posts.sort("user", "photo")
    shuffled = posts[rng.permutation(posts.height)]
    return shuffled.unique("user", keep="first", maintain_order=True).head(count).sort("user", "photo")


def build_examples(inputs: ReportInputs) -> list[Example]:
    """What the report shows of each chosen post."""
    return [build_example(inputs, user, photo) for user, photo in inputs.examples.iter_rows()]


def build_example(inputs: ReportInputs, user: str, photo: str) -> Example:
    """What the report shows of one test post. Raises polars' NoRowsReturnedError when a frame lacks it."""
    post = (pl.col("user") == user) & (pl.col("photo") == photo)
    true = inputs.test.row(by_predicate=post, named=True)["tags"]
    suggestions = []
    for model in inputs.models:
        tags = inputs.recommendations[model.name].row(by_predicate=post, named=True)["tags"]
        suggestions.append((model, mark_hits(tags, true)))
    return Example(user, photo, true, own_tags(inputs.train, user), detected(inputs, photo), suggestions)


def mark_hits(suggested: list[str], true: list[str]) -> list[tuple[str, bool]]:
    """The first suggestions, each with whether it is one of the post's tags."""
    return [(tag, tag in true) for tag in suggested[:SUGGESTIONS]]


def own_tags(train: pl.DataFrame, user: str) -> list[tuple[str, int]]:
    """The tags that a user put on most training posts, with their counts, ties by name."""
    counts = train.filter(pl.col("user") == user).explode("tags").group_by("tags").len()
    return counts.sort("len", "tags", descending=[True, False]).head(OWN_TAGS).rows()


def detected(inputs: ReportInputs, photo: str) -> list[tuple[str, float]] | None:
    """The likeliest classes of a photo with their probabilities, those below the threshold left out."""
    if inputs.objects is None:
        return None
    vector = inputs.objects.row(by_predicate=pl.col("photo") == photo, named=True)["vector"]
    ranked = sorted(zip(inputs.classes, vector, strict=True), key=lambda pair: (-pair[1], pair[0]))
    return [(name, probability) for name, probability in ranked[:OBJECTS] if probability >= inputs.object_threshold]
