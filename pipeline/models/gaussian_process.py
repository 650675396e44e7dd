"""A Gaussian process over posts: those alike in user, time and look have like tags."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.data.schema import PHOTO, TAG, USER
from pipeline.data.vocabulary import codes, vocabularies
from pipeline.features.store import Features
from pipeline.files.forms import Form, FormError, check_ascending, floats, integers
from pipeline.models.counts import count_tags
from pipeline.models.covariance import (
    DAY,
    LEAST_NOISE,
    SCALES,
    Components,
    decays,
    likeliest_variances,
    own_components,
)
from pipeline.models.model import BIAS, NUMBERS, Baseline, ExtractorNote
from pipeline.models.neighbours import at_unit_length, concatenated, least, split
from pipeline.models.own_photos import EVERYONE, OWN, check_lengths
from pipeline.models.own_posts import LATEST, OwnPosts
from pipeline.models.settings import BaseModelConfig

DAYS = "days"
"""The part of scores that comes from what everyone posted around the day."""

DAY_SCALES = SCALES[1:]
"""Milliseconds over which days grow unlike."""

MOST_POSTS = 256
"""The posts of a user that count for a suggestion, at most: time grows with their cube."""

MOST_DAYS = 4096
"""The days with weights, at most the latest.

Memory grows with the square, and time with the cube, of the number of weights for a tag: one for each of these days,
and one for each number of the extractors' vectors, which no limit bounds.
"""

POSTS_OF_VARIANCES = 1000
"""The posts that the variances are fitted to, at most: time grows with their cube."""

POSTS_PER_SUM = 256
"""The posts whose inputs are summed up at a time: more have more days, with fewer there are more sums."""

LEAST_SHARE = 1e-12
"""The variance of noise as a share of a user's own, at least: with less, rounding decides what solves equations."""


class GaussianProcessConfig(BaseModelConfig):
    """The settings of a Gaussian process: there are none to choose."""

    kind: Literal["gaussian-process"] = Field(
        description="A Gaussian process of user, time and look, whose variances are the likeliest ones."
    )


class GaussianProcess(Baseline):
    """Regression to the tags of posts by a Gaussian process; all tags have the same covariance.

    A post has a tag (1) or lacks it (0): b + f(d, x) + g_u(t, x) + noise, where b is the share of posts with the tag,
    and f and g_u are independent Gaussian processes of mean 0. f is everyone's: of the day d, in UTC, with covariance
    Σ_s v_s e^(−Δ/s) for scales s of a day, a week, a month and a year; and of the look, linear in the vectors of each
    extractor at length 1. g_u is the user's own, of the time t and the look: its covariance sums v_ij times_i looks_j
    over times of 1 and e^(−Δ/s) (the scales above, and an hour), and looks of 1, the cosine c of each extractor, and
    e^(4 (c − 1)).

    The variances v and that of noise are the likeliest ones, given the tags of some users (`likeliest_variances`): no
    grid, no validation posts, no epochs. Scores are the means of f and g_u given the training posts, and b: Rasmussen &
    Williams, Gaussian processes for machine learning, MIT Press 2006, Eq. 2.38. f is solved for first, with every g
    integrated out: each user has a block of the covariance V, by MOST_POSTS posts at most. A row of Z marks a post's
    day and has its vectors; K is the prior covariance of the weights of these inputs. Then f is its covariance with the
    weights times A = (ZᵀV⁻¹Z K + I)⁻¹ ZᵀV⁻¹(Y − b). Given f, g_u = k (K_u + σ² I)⁻¹ (Y_u − b − f) needs the user's own
    posts alone, those with the largest covariance where there are more than MOST_POSTS. The sum is the mean given all
    posts at once where users have no more, and there are no more than MOST_DAYS days. A user is folded in by keeping
    their posts. Where users are left out, so are all days.

    Tensors: those of `OwnPosts`, vectors of each extractor at length 1; "intercept", b, float32 (T,); "own_variances",
    of g by 1 and `SCALES`, and by looks, float64 (times, looks); "noise", σ², float64 (1,); "<extractor>_weights", rows
    of K A, float32 (numbers, T); where times are known, "days", those with weights since 1970, int64 (D,),
    "weights_of_days", rows of A, float32 (D, T), and "variances_of_days", by `DAY_SCALES`, float64 (4,).
    """

    Config = GaussianProcessConfig
    sees_times = True

    @classmethod
    def fit(cls, config: GaussianProcessConfig, posts: pl.DataFrame, features: Features) -> Self:
        names, extractors = vocabularies(posts, USER), ExtractorNote.of(features)
        photos = cls(config, names, {}, extractors).kept_vectors(posts, features)
        own = OwnPosts.of(posts, names[USER], names[TAG], photos)
        tensors = own.tensors | {"intercept": np.float32(count_tags(posts, names[TAG]) / len(posts))}
        for name in extractors:
            tensors[f"{name}_weights"] = np.zeros((features.matrices[name].shape[1], len(names[TAG])), np.float32)
        if not cls.misses_times(posts):
            tensors["days"] = _latest_days(own)
        unfitted = cls(config, names, tensors, extractors)
        variances, of_looks = unfitted._likeliest_variances()
        without_weights = unfitted._with({}, variances)
        return without_weights._with({}, without_weights._everyones_weights(of_looks))

    @property
    def forms(self) -> Mapping[str, Form]:
        tags = self.count_of(TAG)
        forms = OwnPosts.forms(self, NUMBERS if self.extractors else 0) | {
            "intercept": floats(tags, least=0),
            "own_variances": floats(1 + self._timed * len(SCALES), 1 + 2 * len(self.extractors), least=0),
            "noise": floats(1, least=LEAST_NOISE),
        }
        if self._timed:
            forms["days"] = integers("days with weights", least=-LATEST // DAY, below=LATEST // DAY + 1)
            forms["weights_of_days"] = floats("days with weights", tags)
            forms["variances_of_days"] = floats(len(DAY_SCALES), least=0)
        return forms | {f"{name}_weights": floats(name, tags) for name in self.extractors}

    def check(self, widths: Mapping[str, int] | None = None) -> None:
        super().check(widths)
        OwnPosts.from_tensors(self.tensors).check()
        check_ascending("days", self.tensors.get("days", np.zeros(0)))
        if self.tensors["noise"][0] < LEAST_SHARE * self.tensors["own_variances"].sum():
            raise FormError("noise is too small for own_variances")
        for vectors in self._by_extractor(self.tensors["post_photo"]):
            check_lengths("post_photo", vectors)

    @property
    def part_words(self) -> Mapping[str, str]:
        """Words for its own parts: those of look with features, that of the day where times are known."""
        looks = {OWN: "you give it to photos {like}", EVERYONE: "photos of its {shared} have it"}
        return (looks if self.extractors else {}) | ({DAYS: "goes with the photo's day"} if self._timed else {})

    @property
    def dates_strangers(self) -> bool:
        return self._timed and self.tensors["days"].size > 0

    @property
    def _timed(self) -> bool:
        """True if it was fitted to posts whose times are known."""
        return "days" in self.tensors

    def kept_vectors(self, posts: pl.DataFrame, features: Features) -> np.ndarray:
        """Returns the vectors of photos side by side, each extractor's at length 1 unless it is zero."""
        units = [at_unit_length(concatenated([name], posts[PHOTO], features)) for name in self.extractors]
        return np.concatenate([np.zeros((len(posts), 0), np.float32), *units], axis=1)

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:
        own, user = OwnPosts.from_tensors(self.tensors), codes(posts[USER], self.names[USER])
        vectors = self.kept_vectors(posts, features)
        time, known = own.times_of(posts, self.names[USER])
        of_days = _KeptRows(self._means_of_days)
        parts = self._everyones(time, vectors, of_days)
        if self._timed:
            parts[DAYS][~known] = 0
        habits, looks = np.zeros((2, len(posts), len(self.tags)))
        for each in np.unique(user[user >= 0]):
            kept, (asked,) = own.of_user(each), np.nonzero(user == each)
            for rows, voters in self._voters(kept, asked, time, vectors):
                habits[rows], looks[rows] = self._own_means(voters, time[rows], vectors[rows], of_days)
        parts |= {USER: habits, BIAS: np.broadcast_to(self.tensors["intercept"], habits.shape)}
        return parts | ({OWN: looks} if self.extractors else {})

    def _everyones(self, time: np.ndarray, vectors: np.ndarray, of_days: "_KeptRows") -> dict[str, np.ndarray]:
        """Returns the mean of f for posts with times, (posts,), and vectors, (posts, numbers), by its parts."""
        parts = {}
        if self._timed:
            parts[DAYS] = of_days.of(time // DAY)
        if self.extractors:
            weights = (self.tensors[f"{name}_weights"] for name in self.extractors)
            parts[EVERYONE] = sum(x @ w for x, w in zip(self._by_extractor(vectors), weights, strict=True))
        return parts

    def _means_of_days(self, days: np.ndarray) -> np.ndarray:
        """Returns the part of the mean of f that comes from days, (n,): (n, T)."""
        return self._day_covariance(days, self.tensors["days"]) @ self.tensors["weights_of_days"]

    def _day_covariance(self, days: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Returns the covariance of days, (n,), with others, (m,): (n, m)."""
        difference = DAY * _differences(days, others)
        scaled = zip(self.tensors["variances_of_days"], DAY_SCALES, strict=True)
        return sum(variance * decays(difference, [scale])[0] for variance, scale in scaled)

    def _voters(
        self, kept: OwnPosts, asked: np.ndarray, time: np.ndarray, vectors: np.ndarray
    ) -> Iterator[tuple[np.ndarray, OwnPosts]]:
        """Yields rows of a user's posts, and those of the user's kept posts that count for them.

        asked: the rows of the user's posts in `time`, (posts,), and `vectors`, (posts, numbers).
        """
        if len(kept.post_time) <= MOST_POSTS:
            if len(kept.post_time):
                yield asked, kept
            return
        for row in asked[:, None]:
            covariance = self._own_components(time[row], vectors[row], kept.post_time, kept.post_photo)
            largest = least(-covariance.weighted(self.tensors["own_variances"])[0], MOST_POSTS)
            yield row, kept.take(np.sort(largest))

    def _own_means(
        self, voters: OwnPosts, time: np.ndarray, vectors: np.ndarray, of_days: "_KeptRows"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the mean of g_u for posts of one user: by habit, and by look, (posts, T) each."""
        variances, own = self.tensors["own_variances"], (voters.post_time, voters.post_photo)
        unexplained = voters.mark_tags(len(self.tags)) - self.tensors["intercept"]
        unexplained -= sum(self._everyones(*own, of_days).values())
        covariance = self._own_components(*own, *own).weighted(variances)
        covariance[np.diag_indices(len(covariance))] += self.tensors["noise"][0]
        weights = np.linalg.solve(covariance, unexplained)
        of_habits, of_looks = variances.copy(), variances.copy()
        of_habits[:, 1:], of_looks[:, 0] = 0, 0
        across = self._own_components(time, vectors, *own)
        return across.weighted(of_habits) @ weights, across.weighted(of_looks) @ weights

    def _own_components(
        self,
        time: np.ndarray,
        vectors: np.ndarray,
        other_time: np.ndarray,
        other_vectors: np.ndarray,
        same: np.ndarray | None = None,
    ) -> Components:
        """Returns the components of g for n posts with m others.

        same: 1 where both have the same user, elsewhere 0, (n, m); None if all do.
        """
        difference = _differences(time, other_time) if self._timed else None
        same = np.ones((len(time), len(other_time))) if same is None else same
        return own_components(difference, self._cosines(vectors, other_vectors), same)

    def _cosines(self, vectors: np.ndarray, others: np.ndarray) -> list[np.ndarray]:
        """Returns the cosines of vectors (n, numbers) and others (m, numbers) by each extractor, (n, m)."""
        pairs = zip(self._by_extractor(vectors), self._by_extractor(others), strict=True)
        return [np.float64(x) @ np.float64(y).T for x, y in pairs]

    def _by_extractor(self, vectors: np.ndarray) -> list[np.ndarray]:
        """Splits vectors, (posts, numbers), into those of each extractor."""
        return split(vectors, [len(self.tensors[f"{name}_weights"]) for name in self.extractors])

    def _likeliest_variances(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Returns the likeliest variances that are tensors, by name, and those of looks in f, (extractors,)."""
        drawn = OwnPosts.from_tensors(self.tensors).of_some_users(MOST_POSTS, POSTS_OF_VARIANCES)
        user, time, vectors = (
            np.concatenate([getattr(own, field) for own in drawn]) for field in ("post_user", "post_time", "post_photo")
        )
        targets = np.concatenate([own.mark_tags(len(self.tags)) for own in drawn]) - self.tensors["intercept"]
        parts = [self._own_components(time, vectors, time, vectors, np.float64(user[:, None] == user))]
        one = np.ones((1, len(user), len(user)))
        if self._timed:
            parts.append(Components(decays(DAY * _differences(time // DAY, time // DAY), DAY_SCALES), one))
        if self.extractors:
            parts.append(Components(one, np.stack(self._cosines(vectors, vectors))))
        variances, noise = likeliest_variances(parts, targets)
        found = {"own_variances": variances[0], "noise": np.array([noise])}
        found |= {"variances_of_days": variances[1][:, 0]} if self._timed else {}
        return found, variances[-1][0] if self.extractors else np.zeros(0)

    def _everyones_weights(self, look_variances: np.ndarray) -> dict[str, np.ndarray]:
        """Solves for the weights of days and of vectors in the mean of f."""
        days = self.tensors.get("days", np.zeros(0, np.int64))
        size = len(days) + self.tensors["post_photo"].shape[1]
        gram, target = np.zeros((size, size)), np.zeros((size, len(self.tags)))  # ZᵀV⁻¹Z and ZᵀV⁻¹(Y − b).
        for blocks in self._blocks():
            # The posts' own days, which are few: their inputs of all others are zero.
            own_days = np.isin(days, np.concatenate([block.post_time for block in blocks]) // DAY).nonzero()[0]
            places = np.concatenate([own_days, np.arange(len(days), size)])
            solutions = (self._solved(block, days[own_days]) for block in blocks)
            inputs, solved = map(np.concatenate, zip(*solutions, strict=True))
            products = inputs.T @ solved
            gram[np.ix_(places, places)] += products[:, : len(places)]
            target[places] += products[:, len(places) :]
        widths = [len(self.tensors[f"{name}_weights"]) for name in self.extractors]
        prior = np.diag(np.concatenate([np.zeros(len(days)), np.repeat(look_variances, widths)]))  # K.
        if self._timed:
            prior[: len(days), : len(days)] = self._day_covariance(days, days)
        weights = np.linalg.solve(gram @ prior + np.eye(size), target)
        of_vectors = zip(self.extractors, look_variances, self._by_extractor(weights[len(days) :].T), strict=True)
        found = {f"{name}_weights": np.float32(variance * each.T) for name, variance, each in of_vectors}
        return found | ({"weights_of_days": np.float32(weights[: len(days)])} if self._timed else {})

    def _blocks(self) -> Iterator[list[OwnPosts]]:
        """Yields all posts, some blocks at a time: those of a user in time, MOST_POSTS at most in each."""
        own, some, total = OwnPosts.from_tensors(self.tensors), [], 0
        for user in np.unique(own.post_user):
            of_user = own.of_user(user)
            in_time = np.argsort(of_user.post_time, kind="stable")
            for start in range(0, len(in_time), MOST_POSTS):
                some.append(of_user.take(in_time[start : start + MOST_POSTS]))
                total += len(some[-1].post_time)
                if total >= POSTS_PER_SUM:
                    yield some
                    some, total = [], 0
        if some:
            yield some

    def _solved(self, posts: OwnPosts, days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns rows of Z for posts of one user, and as many of V⁻¹ (Z, Y − b), float64.

        days: those of the inputs, (d,): Z is (posts, d + numbers).
        """
        own = (posts.post_time, posts.post_photo)
        covariance = self._own_components(*own, *own).weighted(self.tensors["own_variances"])
        covariance[np.diag_indices(len(covariance))] += self.tensors["noise"][0]
        of_days = (posts.post_time // DAY)[:, None] == days
        inputs = np.concatenate([of_days, posts.post_photo], axis=1, dtype=np.float64)
        marks = posts.mark_tags(len(self.tags)) - self.tensors["intercept"]
        return inputs, np.linalg.solve(covariance, np.concatenate([inputs, marks], axis=1))

    def _fold_in(self, user: str, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG002 (that of the posts)
        vectors = self.kept_vectors(posts, features)
        users, own = OwnPosts.from_tensors(self.tensors).learn(posts, self.names, vectors)
        return self._with({USER: users}, own.tensors)

    def _keep_users(self, users: Sequence[str]) -> Self:
        kept = OwnPosts.from_tensors(self.tensors).keep(self.names[USER], users).tensors
        if self._timed and len(users) < len(self.names[USER]):
            # To anyone who knows on which days the others posted, weights of days would tell who used which tags.
            kept |= {name: self.tensors[name][:0] for name in ("days", "weights_of_days")}
        return self._with({USER: users}, kept)


class _KeptRows:
    """Rows of numbers by day, each computed once: users post on the same days."""

    def __init__(self, compute: Callable[[np.ndarray], np.ndarray]):
        """compute: returns the rows, (n, T), of distinct days, int64 (n,)."""
        self._compute, self._rows = compute, {}

    def of(self, days: np.ndarray) -> np.ndarray:
        """Returns the rows of days, (n,): (n, T)."""
        if not days.size:
            return self._compute(days)
        distinct, places = np.unique(days, return_inverse=True)
        new = np.array([day for day in distinct.tolist() if day not in self._rows], np.int64)
        if new.size:
            self._rows.update(zip(new.tolist(), self._compute(new), strict=True))
        return np.stack([self._rows[day] for day in distinct.tolist()])[places]


def _differences(times: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the differences of times, (n,), and others, (m,): float64 (n, m)."""
    return np.float64(times)[:, None] - np.float64(others)


def _latest_days(own: OwnPosts) -> np.ndarray:
    """Returns the latest days on which anyone posted, ascending, MOST_DAYS at most."""
    return np.unique(own.post_time // DAY)[-MOST_DAYS:]
