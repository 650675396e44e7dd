"""Refinement: from all posts to the folksonomy that a recipe asks for, one step after another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
import polars as pl
import pyarrow.compute as pc
from pydantic import Discriminator, Field, Tag

from pipeline.config import Config
from pipeline.errors import InputError


class TopTags(Config):
    """Keeps the most popular tags."""

    keep: Literal["top_tags"] = Field(description="Keeps the tags of the most posts; of equals the first by name.")
    count: int = Field(ge=1, description="How many tags stay.")

    def label(self) -> str:
        return f"the {self.count:,} most popular tags"


class Core(Config):
    """Keeps the core: users and tags that are busy enough among themselves."""

    keep: Literal["core"] = Field(description="Keeps users and tags in enough posts, to the fixpoint.")
    user: int = Field(ge=1, description="In how many posts each user is, at least.")
    tag: int = Field(ge=1, description="In how many posts each tag is, at least.")

    def label(self) -> str:
        return f"core of {self.user:,} posts a user, {self.tag:,} a tag"


class SampledUsers(Config):
    """Keeps some users, drawn at random."""

    keep: Literal["sampled_users"] = Field(description="Keeps users drawn at random, from the recipe's seed.")
    count: int = Field(ge=1, description="How many users stay; all, where there are no more.")

    def label(self) -> str:
        return f"{self.count:,} sampled users"


class EnglishTags(Config):
    """Keeps English tags."""

    keep: Literal["english_tags"] = Field(description="Keeps the tags that WordNet knows, inflected forms included.")

    def label(self) -> str:
        return "English tags"


class DominantTags(Config):
    """Drops the tags that users put on nearly everything, for those users only."""

    drop: Literal["dominant_tags"] = Field(description="Drops a tag for a user who puts it on too many photos.")
    share: float = Field(gt=0, lt=1, description="The share of a user's photos that their tag may be on, at most.")

    def label(self) -> str:
        return f"without tags on more than {100 * self.share:g} % of a user's photos"


KINDS = {
    ("keep", "top_tags"): "TopTags",
    ("keep", "core"): "Core",
    ("keep", "sampled_users"): "SampledUsers",
    ("keep", "english_tags"): "EnglishTags",
    ("drop", "dominant_tags"): "DominantTags",
}


def _kind(step: object) -> str | None:
    """The class of a step, which the value of `keep` or of `drop` says; None when it is unknown there."""
    if isinstance(step, Config):
        return type(step).__name__
    said = step.items() if isinstance(step, dict) else ()
    return next((kind for pair, kind in KINDS.items() if pair in said), None)


RefineStep = Annotated[
    Annotated[TopTags, Tag("TopTags")]
    | Annotated[Core, Tag("Core")]
    | Annotated[SampledUsers, Tag("SampledUsers")]
    | Annotated[EnglishTags, Tag("EnglishTags")]
    | Annotated[DominantTags, Tag("DominantTags")],
    Discriminator(
        _kind,
        custom_error_type="unknown_step",
        custom_error_message="A step is {keep: 'top_tags', count}, {keep: 'core', user, tag}, "
        "{keep: 'sampled_users', count}, {keep: 'english_tags'} or {drop: 'dominant_tags', share}",
    ),
]
"""One step of a recipe."""


@dataclass(frozen=True)
class _Folksonomy:
    """Assignments as integer codes, sorted by post and tag: what a step leaves is a mask over them.

    users, photos, tags: the sorted names behind the codes. user, photo: of each post (int32), sorted; post, tag: of
    each assignment (int32). Posts without assignments stay listed in `user` and `photo`, but are no posts any more.
    """

    users: pl.Series
    photos: pl.Series
    tags: pl.Series
    user: np.ndarray
    photo: np.ndarray
    post: np.ndarray
    tag: np.ndarray

    def where(self, mask: np.ndarray) -> "_Folksonomy":
        return self if mask.all() else replace(self, post=self.post[mask], tag=self.tag[mask])

    @cached_property
    def posts(self) -> np.ndarray:
        """Which of the listed posts still have a tag (bool)."""
        alive = np.zeros(len(self.user), dtype=bool)
        alive[self.post] = True
        return alive

    def posts_of_users(self) -> np.ndarray:
        return np.bincount(self.user[self.posts], minlength=len(self.users))

    def posts_of_tags(self) -> np.ndarray:
        return np.bincount(self.tag, minlength=len(self.tags))

    def counts(self) -> dict[str, int]:
        photos = np.zeros(len(self.photos), dtype=bool)
        photos[self.photo[self.posts]] = True
        return {
            "users": int(np.count_nonzero(self.posts_of_users())),
            "photos": int(np.count_nonzero(photos)),
            "tags": int(np.count_nonzero(self.posts_of_tags())),
            "posts": int(np.count_nonzero(self.posts)),
            "assignments": len(self.tag),
        }


def refine(
    posts: pl.DataFrame,
    steps: Sequence[RefineStep],
    rng: np.random.Generator,
    is_english: Callable[[str], bool] | None = None,
) -> tuple[pl.DataFrame, list[dict[str, str | int]]]:
    """Takes the steps in their order: the assignments that stay, and what each step left.

    posts: user, photo, tags (list), in any order, no post twice. The result is user, photo, tag, sorted; no assignment
    twice. The trace has a row for the source and one for each step: step (its label), users, photos, tags, posts,
    assignments. `is_english` is WordNet's (`wordnet.english`) where none is given; it is asked by that step only.
    Raises InputError when a step leaves no post, and when WordNet is asked and absent.
    """
    if posts.select(pl.struct("user", "photo").is_duplicated().any()).item():
        raise ValueError("a post is listed twice")
    state = _encode(posts)
    if not len(state.tag):
        raise InputError("The source has no post with a tag: nothing is there to refine.")
    trace = [{"step": "source"} | state.counts()]
    for number, step in enumerate(steps, start=1):
        state = _apply(step, state, rng, is_english)
        if not len(state.tag):
            raise InputError(
                f"The recipe leaves no post: step {number} ({step.label()}) drops the last {trace[-1]['posts']:,} "
                f"posts of {trace[-1]['users']:,} users with {trace[-1]['tags']:,} tags; loosen it or the steps before."
            )
        trace.append({"step": step.label()} | state.counts())
    return _decode(state), trace


def _apply(
    step: RefineStep, state: _Folksonomy, rng: np.random.Generator, is_english: Callable[[str], bool] | None
) -> _Folksonomy:
    match step:
        case TopTags():
            return _top_tags(state, step.count)
        case Core():
            return _core(state, step.user, step.tag)
        case SampledUsers():
            return _sampled_users(state, step.count, rng)
        case EnglishTags():
            return _english_tags(state, is_english)
        case DominantTags():
            return _without_dominant_tags(state, step.share)


def _top_tags(state: _Folksonomy, count: int) -> _Folksonomy:
    # Codes are in the order of names, and the sort is stable: of equal tags the first by name comes first.
    order = np.argsort(-state.posts_of_tags(), kind="stable")
    top = np.zeros(len(state.tags), dtype=bool)
    top[order[:count]] = True
    return state.where(top[state.tag])


def _core(state: _Folksonomy, user: int, tag: int) -> _Folksonomy:
    """The largest part of the folksonomy in which every user has `user` posts and every tag `tag` posts, at least.

    The core is unique: what is below a bound now is below it in each part of what is left, whatever goes first.
    """
    while True:
        busy_users, busy_tags = state.posts_of_users() >= user, state.posts_of_tags() >= tag
        smaller = state.where((busy_users[state.user])[state.post] & busy_tags[state.tag])
        if smaller is state:
            return state
        state = smaller


def _sampled_users(state: _Folksonomy, count: int, rng: np.random.Generator) -> _Folksonomy:
    users = np.flatnonzero(state.posts_of_users())
    sampled = np.zeros(len(state.users), dtype=bool)
    sampled[rng.choice(users, min(count, len(users)), replace=False)] = True
    return state.where((sampled[state.user])[state.post])


def _english_tags(state: _Folksonomy, is_english: Callable[[str], bool] | None) -> _Folksonomy:
    if is_english is None:
        from pipeline.folksonomy.wordnet import english  # NLTK takes a second to import.

        is_english = english()
    known = np.zeros(len(state.tags), dtype=bool)
    present = np.flatnonzero(state.posts_of_tags())
    known[present] = [is_english(tag) for tag in state.tags.gather(present)]
    return state.where(known[state.tag])


def _without_dominant_tags(state: _Folksonomy, share: float) -> _Folksonomy:
    # A user posts a photo once, so that their posts are their photos.
    user = state.user[state.post]
    pairs = pl.DataFrame({"user": user, "tag": state.tag})
    on = pairs.select(pl.len().over("user", "tag")).to_series().to_numpy()
    # Divided, not multiplied: 29 of 100 is exactly 0.29, and 0.29 · 100 is not 29.
    return state.where(on / state.posts_of_users()[user] <= share)


def _encode(posts: pl.DataFrame) -> _Folksonomy:
    posts = posts.select("user", "photo", pl.col("tags").list.drop_nulls().list.unique().list.sort())
    posts = posts.filter(pl.col("tags").list.len() > 0).sort("user", "photo")
    users, user = _codes(posts["user"])
    photos, photo = _codes(posts["photo"])
    tags, tag = _codes(posts["tags"].explode())
    post = np.repeat(np.arange(len(posts), dtype=np.int32), posts["tags"].list.len().to_numpy())
    return _Folksonomy(users, photos, tags, user, photo, post, tag)


def _codes(names: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """The sorted different names, and for each value its place among them (int32)."""
    coded = names.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
    order = pc.sort_indices(coded.dictionary).to_numpy()
    ranks = np.empty(len(order), np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    return pl.Series(coded.dictionary.take(order)), ranks[coded.indices.to_numpy()]


def _decode(state: _Folksonomy) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user": state.users.gather(state.user[state.post]),
            "photo": state.photos.gather(state.photo[state.post]),
            "tag": state.tags.gather(state.tag),
        }
    )
