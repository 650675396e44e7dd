"""Ridge regression from a user's and a photo's other tags, and from features, to tags: a closed form."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.data.schema import PHOTO, TAG, TIME, USER
from pipeline.data.vocabulary import codes, vocabularies, vocabulary
from pipeline.errors import InputError
from pipeline.features.store import Features
from pipeline.files.forms import Form, floats
from pipeline.models.counts import (
    count_more,
    count_only,
    count_tags,
    count_tags_by,
    counted_forms,
    counts_for,
    mark_tags,
    shares,
)
from pipeline.models.model import BIAS, NUMBERS, Baseline, ExtractorNote
from pipeline.models.neighbours import concatenated, split
from pipeline.models.own_photos import OWN
from pipeline.models.own_posts import OwnPosts, no_vectors
from pipeline.models.settings import BaseModelConfig

MOST_TAGS = 5000
"""Tags whose weights are solved for, at most: memory grows with their square, time with their cube."""

POSTS_PER_CHUNK = 1024
"""Posts whose inputs are held at a time, which keeps memory flat."""

OWN_L2 = 2.0
"""The penalty on the squared distance of a user's own weights from the shared ones, as a multiple of λ.

It was best for users who are folded in, and costs those in training nothing (benchmarks/README.md).
"""

MAX_OWN_POSTS = 1000
"""Posts that a user's own weights are fitted to, at most: time grows with their cube."""

Inputs = dict[str, np.ndarray]
"""The inputs of posts by their parts: USER and PHOTO, (posts, T); an extractor, (posts, numbers)."""


class RidgeConfig(BaseModelConfig):
    """The settings of ridge regression."""

    kind: Literal["ridge"] = Field(description="Ridge regression from the user's and the photo's tags, and features.")
    l2: float = Field(
        ge=1e-6,
        le=1e9,
        description="λ, the weight of the squared distance from plain counting: where it is large, each tag predicts "
        "itself alone.",
        examples=[10.0],
    )
    fading: float = Field(
        ge=0,
        le=10,
        description="The power of time by which a post of the user fades; 0 counts all alike.",
        examples=[0.5],
    )


class Ridge(Baseline):
    """A linear map from what is known of a post to its tags, by regularised least squares.

    Inputs x of a post: the tags of the user's other posts, those near in time most (the shares of `Recency`); the tags
    that other users gave the photo, in shares; and features. Shares enter by their roots, which have length 1 for every
    user and photo. In fitting, the post itself is left out of both, as EASE's diagonal of zeros keeps an item from
    explaining itself. From each input its mean is subtracted, over the posts that have any such inputs; a user,
    photo or place that is not known adds nothing.

    Scores: x W + b, where W = P + argmin_D ‖Y − b − X (P + D)‖² + λ ‖D‖² = (XᵀX + λ I)⁻¹ (XᵀY + λ P). P is plain
    counting: c_u for a tag of the user itself, c_i for one of the photo, zero elsewhere; c minimises ‖Y − b − X P‖².
    With few posts W stays near plain counting; with many it learns which tags go with which.

    With features, and if each photo was posted once, a user u also has weights of their own: x (W + D_u) + b, where D_u
    minimises ‖Y_u − b − X_u (W + D_u)‖² + μ ‖D_u‖², μ = 2 λ, over their latest posts. It is solved on demand, with one
    unknown for each of them: x D_u = x X_uᵀ (X_u X_uᵀ + μ I)⁻¹ (Y_u − b − X_u W). So a user who is folded in gets
    the same weights as one in training, except for a share in W.

    Steck, Embarrassingly shallow autoencoders for sparse data, WWW 2019, in closed form as well: there items from a
    user's other items; here tags from a post's inputs, features among them, and shrunk towards P instead of zero.

    Tensors: those of `OwnPosts`, with features for vectors where users have weights of their own; the photo's counts,
    where a photo was posted twice; for each part "<part>_weights", float32 (inputs, T), and "<part>_mean",
    float32 (inputs,); "intercept", float32 (T,).
    """

    Config = RidgeConfig
    most_tags = MOST_TAGS
    bytes_per_pair = 40  # XᵀX and its factors, XᵀY, P and W, in float64, of the user's tags alone.
    sees_times = True

    @classmethod
    def fit(cls, config: RidgeConfig, posts: pl.DataFrame, features: Features) -> Self:
        """Solves for the weights. Raises SettingError for more than MOST_TAGS tags."""
        posts = posts.sort(USER, PHOTO)
        names = vocabularies(posts, USER)
        cls.check_size(config, posts[PHOTO].n_unique(), len(names[TAG]))
        if posts[PHOTO].n_unique() < len(posts):
            names[PHOTO] = vocabulary(posts[PHOTO])
        extractors = ExtractorNote.of(features)
        if reserved := {USER, PHOTO, OWN, BIAS} & extractors.keys():
            raise InputError(f"An extractor cannot be called {min(reserved)!r}: that is another part of the model.")
        widths = {part: len(names[TAG]) for part in (USER, PHOTO) if part in names}
        widths |= {name: features.matrices[name].shape[1] for name in extractors}
        unfitted = cls(config, names, {}, extractors)
        tensors = OwnPosts.of(posts, names[USER], names[TAG], unfitted.kept_vectors(posts, features)).tensors
        if PHOTO in names:
            tensors |= count_tags_by(PHOTO, posts, names)
        tensors["intercept"] = np.float32(count_tags(posts, names[TAG]) / len(posts))
        solved = cls(config, names, tensors, extractors)._solve(posts, features, widths)
        return cls(config, names, tensors | solved, extractors)

    @property
    def forms(self) -> Mapping[str, Form]:
        tags = self.count_of(TAG)
        forms = OwnPosts.forms(self, NUMBERS if self._personal else 0) | {"intercept": floats(tags)}
        forms |= counted_forms(self, PHOTO) if PHOTO in self.names else {}
        for part in (USER, PHOTO, *self.extractors):
            if part in (*self.names, *self.extractors):
                width = part if part in self.extractors else tags
                forms |= {f"{part}_weights": floats(width, tags), f"{part}_mean": floats(width)}
        return forms

    def check(self, widths: Mapping[str, int] | None = None) -> None:
        super().check(widths)
        OwnPosts.from_tensors(self.tensors).check()

    @property
    def part_words(self) -> Mapping[str, str]:
        """Words for the part of users' own weights, if they have any."""
        return {OWN: "you give it to photos {like}"} if self._personal else {}

    @property
    def _personal(self) -> bool:
        """True if users have weights of their own: with features, and if each photo was posted once."""
        return bool(self.extractors) and PHOTO not in self.names

    @property
    def _looks(self) -> Collection[str]:
        """The extractors that have a vector of every photo: all but those of places."""
        return [name for name, note in self.extractors.items() if not note.of_places]

    def kept_vectors(self, posts: pl.DataFrame, features: Features) -> np.ndarray:
        """Returns the vectors to keep with the posts, (posts, numbers)."""
        return concatenated(self.extractors, posts[PHOTO], features) if self._personal else no_vectors(posts)

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:
        inputs = self._centred(self._inputs(posts, features), self.tensors)
        parts = {part: np.float32(x) @ self.tensors[f"{part}_weights"] for part, x in inputs.items()}
        bias = self.tensors["intercept"].copy()
        # Every photo has a look, so that subtracting its mean shifts the scores of all posts alike.
        for name in self._looks:
            offset = self.tensors[f"{name}_mean"] @ self.tensors[f"{name}_weights"]
            parts[name] += offset
            bias -= offset
        parts[BIAS] = np.broadcast_to(bias, (len(posts), len(bias)))
        return parts | {OWN: self._by_own_weights(posts, inputs)} if self._personal else parts

    def _by_own_weights(self, posts: pl.DataFrame, inputs: Inputs) -> np.ndarray:
        """Returns x D_u of posts with these centred inputs, (posts, T); zero for an unknown user."""
        user, x = codes(posts[USER], self.names[USER]), np.concatenate(list(inputs.values()), axis=1)
        added = np.zeros((len(posts), len(self.tags)))
        for each in np.unique(user[user >= 0]):
            own, unexplained = self._own_posts(each)  # (n, inputs), (n, T)
            gram = own @ own.T
            gram[np.diag_indices(len(gram))] += OWN_L2 * self.config.l2
            asked = user == each
            added[asked] = _solved(gram, own @ x[asked].T).T @ unexplained
        return added

    def _own_posts(self, user: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the centred inputs of a user's latest posts, X_u, (n, inputs), and their residuals, (n, T).

        The residuals are what W leaves unexplained, Y_u − b − X_u W.
        """
        own = OwnPosts.from_tensors(self.tensors)
        kept = own.of_user(user)
        latest = np.sort(np.argsort(-kept.post_time, kind="stable")[:MAX_OWN_POSTS])
        kept = kept.take(latest)
        posts = pl.DataFrame({USER: [self.names[USER][user]] * len(latest), TIME: kept.post_time})
        left_out = np.searchsorted(own.post_user, user) + latest
        inputs = {USER: self._user_inputs(posts, left_out)}
        widths = [len(self.tensors[f"{name}_mean"]) for name in self.extractors]
        inputs |= dict(zip(self.extractors, split(kept.post_photo, widths), strict=True))
        centred = self._centred(inputs, self.tensors)
        unexplained = kept.mark_tags(len(self.tags)) - self.tensors["intercept"]
        unexplained -= sum(x @ self.tensors[f"{part}_weights"] for part, x in centred.items())
        return np.concatenate(list(centred.values()), axis=1), unexplained

    def feature_weights(self, extractor: str) -> np.ndarray:
        return self.tensors[f"{extractor}_weights"]

    def _inputs(self, posts: pl.DataFrame, features: Features, first: int | None = None) -> Inputs:
        """Returns the inputs of posts. first: for training posts, the position of the first; each is left out."""
        left_out = None if first is None else np.arange(first, first + len(posts))
        inputs = {USER: self._user_inputs(posts, left_out)}
        if PHOTO in self.names:
            counts = counts_for(self, PHOTO, posts)
            inputs[PHOTO] = np.sqrt(shares(counts if first is None else counts - mark_tags(posts, self.tags)))
        return inputs | {name: features.matrices[name][features.rows(posts[PHOTO])] for name in self.extractors}

    def _user_inputs(self, posts: pl.DataFrame, left_out: np.ndarray | None) -> np.ndarray:
        """Returns the roots of the shares of the users' tags, (posts, T); left_out as for `OwnPosts.votes`."""
        own, tags = OwnPosts.from_tensors(self.tensors), len(self.tags)
        own = replace(own, post_photo=own.post_photo[:, :0])  # Only time weighs votes.
        votes = own.votes(posts, self.names[USER], tags, no_vectors(posts), self.config.fading, 0, left_out)
        return np.sqrt(shares(votes))

    def _centred(self, inputs: Inputs, means: Mapping[str, np.ndarray]) -> Inputs:
        """Subtracts means from inputs; those of a user, a photo or a place that is not known stay zero."""
        centred = {}
        for part, x in inputs.items():
            known = True if part in self._looks else x.any(axis=1, keepdims=True)
            centred[part] = np.where(known, x - means[f"{part}_mean"], 0)
        return centred

    def _solve(self, posts: pl.DataFrame, features: Features, widths: Mapping[str, int]) -> dict[str, np.ndarray]:
        """Returns the means of the inputs, and the weights, W."""
        sums = {part: np.zeros(width) for part, width in widths.items()}
        having = dict.fromkeys(widths, 0)
        for inputs, _ in self._chunks(posts, features):
            for part, x in inputs.items():
                sums[part] += x.sum(axis=0, dtype=np.float64)
                having[part] += len(x) if part in self._looks else np.count_nonzero(x.any(axis=1))
        means = {f"{part}_mean": np.float32(sums[part] / max(having[part], 1)) for part in widths}
        # XᵀX, (inputs, inputs), and XᵀY, (inputs, T): products of a chunk in float32, their sum in float64.
        size, tags = sum(widths.values()), len(self.tags)
        gram, target = np.zeros((size, size)), np.zeros((size, tags))
        for inputs, marks in self._chunks(posts, features):
            x = np.concatenate(list(self._centred(inputs, means).values()), axis=1, dtype=np.float32)
            gram += x.T @ x
            target += x.T @ marks
        prior = _counting(gram, target, [part for part in widths if part not in self.extractors])
        gram[np.diag_indices(size)] += self.config.l2
        target += self.config.l2 * prior
        solved = np.float32(_solved(gram, target))
        starts = np.cumsum([0, *widths.values()])
        weights = {
            f"{part}_weights": solved[start : start + width]
            for (part, width), start in zip(widths.items(), starts[:-1], strict=True)
        }
        return means | weights

    def _chunks(self, posts: pl.DataFrame, features: Features) -> Iterator[tuple[Inputs, np.ndarray]]:
        """Yields the inputs of training posts, each left out of its own, and their tags, float32 (posts, T)."""
        for first in range(0, len(posts), POSTS_PER_CHUNK):
            some = posts[first : first + POSTS_PER_CHUNK]
            yield self._inputs(some, features, first), mark_tags(some, self.tags).astype(np.float32)

    def _fold_in(self, user: str, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG002 (that of the posts)
        vectors = self.kept_vectors(posts, features)
        users, own = OwnPosts.from_tensors(self.tensors).learn(posts, self.names, vectors)
        if PHOTO not in self.names:
            return self._with({USER: users}, own.tensors)
        photos, counted = count_more(self, PHOTO, posts)
        return self._with({USER: users, PHOTO: photos}, own.tensors | counted)

    def _keep_users(self, users: Sequence[str]) -> Self:
        own = OwnPosts.from_tensors(self.tensors).keep(self.names[USER], users)
        if PHOTO not in self.names:
            return self._with({USER: users}, own.tensors)
        return self._with({USER: users, PHOTO: []}, own.tensors | count_only(self, PHOTO, []))


def _solved(gram: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Solves symmetric equations; among many solutions, it takes the one of least squares."""
    try:
        return np.linalg.solve(gram, target)
    except np.linalg.LinAlgError:  # Numbers so large that λ is lost in rounding.
        return np.linalg.lstsq(gram, target)[0]


def _counting(gram: np.ndarray, target: np.ndarray, parts: Sequence[str]) -> np.ndarray:
    """Returns P, (inputs, T): for each part, the first inputs, the identity times what fits all tags best."""
    tags = target.shape[1]
    blocks = [slice(tags * place, tags * (place + 1)) for place in range(len(parts))]
    # Least squares of as many unknowns as there are parts, over all posts and tags at once.
    products = np.array([[np.trace(gram[one, other]) for other in blocks] for one in blocks])
    factors = np.linalg.lstsq(products, np.array([np.trace(target[block]) for block in blocks]))[0]
    prior = np.zeros_like(target)
    for block, factor in zip(blocks, factors, strict=True):
        prior[block] = factor * np.eye(tags)
    return prior
