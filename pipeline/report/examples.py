"""Test posts shown with the suggestions of every model (the paper's Table 3)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.data.schema import PHOTO, POST, TAGGED_POST, TAGS, USER, VECTOR
from pipeline.features.store import Features
from pipeline.models.model import Model
from pipeline.models.ranking import suggest
from pipeline.recommend.habits import Habits
from pipeline.recommend.reasons import Explainer
from pipeline.report.findings import featured
from pipeline.report.inputs import Detections, ModelInfo, ReportInputs

SUGGESTIONS = 5
OWN_TAGS = 8
OBJECTS = 6


@dataclass(frozen=True)
class Suggested:
    """A suggested tag."""

    tag: str
    """The tag."""

    hit: bool
    """True where it is a tag of the post."""

    reason: str
    """The reason in words; empty where it is not a hit, or not known."""


@dataclass(frozen=True)
class Example:
    """A test post with all that models and detectors make of it."""

    user: str
    photo: str
    true: list[str]
    """The post's own tags."""

    new: bool
    """True for a new user, whose posts were folded in."""

    own: list[tuple[str, int]]
    """The user's most frequent tags, with the number of training posts, or folded-in ones, that have each."""

    objects: dict[str, list[tuple[str, float]]]
    """Detected classes with their probabilities, for each detector by the extractor's name."""

    featured: list[tuple[ModelInfo, str, list[Suggested]]]
    """The models shown first, each with its role in words and its first tags."""

    others: list[tuple[ModelInfo, list[Suggested]]]
    """All other models with their first tags."""


def choose_examples(
    test: pl.DataFrame, recommendations: Mapping[str, pl.DataFrame], count: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Draws test posts at random, each of another user: all columns but tags, sorted, at most `count` rows.

    Only posts for which every model has suggestions are drawn, whatever their scores: the examples are not a selection
    of successes.
    """
    posts = test.drop(TAGS)
    for frame in recommendations.values():
        posts = posts.join(frame, on=POST, how="semi")
    posts = posts.sort(*POST)
    shuffled = posts[rng.permutation(posts.height)]
    return shuffled.unique(USER, keep="first", maintain_order=True).head(count).sort(*POST)


def build_examples(inputs: ReportInputs) -> list[Example]:
    """Gathers all that the report shows for each chosen post.

    Raises polars' NoRowsReturnedError when a frame lacks a post.
    """
    roles = featured(inputs.models, inputs.metrics, inputs.feature_sets)
    return [build_example(inputs, roles, number) for number in range(inputs.examples.height)]


def build_example(inputs: ReportInputs, roles: Mapping[ModelInfo, str], number: int) -> Example:
    """Gathers all that the report shows for the example at a position. `roles` has the models that are shown first."""
    user, photo = inputs.examples.select(POST).row(number)
    post = (pl.col(USER) == user) & (pl.col(PHOTO) == photo)
    true = inputs.test.row(by_predicate=post, named=True)[TAGS]
    found = {}
    for model in inputs.models:
        tags = inputs.recommendations[model.name].row(by_predicate=post, named=True)[TAGS]
        reasons = inputs.reasons[model.name][number] if model.name in inputs.reasons else {}
        found[model] = mark_hits(tags, true, reasons)
    return Example(
        user,
        photo,
        true,
        user in inputs.new_users[USER],
        own_tags(pl.concat([inputs.train.select(TAGGED_POST), inputs.new_users.select(TAGGED_POST)]), user),
        {name: detected(each, photo, inputs.threshold) for name, each in inputs.detections.items()},
        [(model, role, found[model]) for model, role in roles.items()],
        [(model, tags) for model, tags in found.items() if model not in roles],
    )


def mark_hits(suggested: Sequence[str], true: Collection[str], reasons: Mapping[str, str]) -> list[Suggested]:
    """Marks which of the first suggestions are tags of the post, and gives the reasons for these."""
    return [Suggested(tag, hit := tag in true, reasons.get(tag, "") if hit else "") for tag in suggested[:SUGGESTIONS]]


def own_tags(posts: pl.DataFrame, user: str) -> list[tuple[str, int]]:
    """Counts the tags that a user put on most posts, ties by name."""
    counts = posts.filter(pl.col(USER) == user).explode(TAGS).group_by(TAGS).len()
    return counts.sort("len", TAGS, descending=[True, False]).head(OWN_TAGS).rows()


def detected(detections: Detections, photo: str, threshold: float) -> list[tuple[str, float]]:
    """Lists the likeliest classes of a photo with their probabilities, without those below the threshold."""
    vector = detections.vectors.row(by_predicate=pl.col(PHOTO) == photo, named=True)[VECTOR]
    ranked = sorted(zip(detections.classes, vector, strict=True), key=lambda pair: (-pair[1], pair[0]))
    return [(name, probability) for name, probability in ranked[:OBJECTS] if probability >= threshold]


def explain(model: Model, features: Features, posts: pl.DataFrame, examples: pl.DataFrame) -> list[dict[str, str]]:
    """Explains a model's first suggestions for each example (columns user, photo, time if known): words by tag.

    posts: the training posts and the folded-in ones; their tags are the users' habits.
    """
    habits = Habits.count(posts, model.tags)
    return [explain_post(model, habits, features, post) for post in examples.iter_slices(1)]


def explain_post(model: Model, habits: Habits, features: Features, post: pl.DataFrame) -> dict[str, str]:
    """Explains a model's first suggestions for one post, in a frame of one row."""
    explainer = Explainer(model, habits, post[USER][0], post[PHOTO], features, model.parts(post, features), given={})
    (top,) = suggest(model, post, features, SUGGESTIONS).top
    return {model.tags[tag]: "; ".join(each.words for each in explainer.reasons(0, tag) if each.words) for tag in top}
