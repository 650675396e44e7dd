"""The training posts of each user, kept with their times: they vote for the user's later posts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import polars as pl

from pipeline.data.schema import PHOTO, TAG, TAGS, TIME, USER
from pipeline.data.vocabulary import codes, vocabulary
from pipeline.features.store import Features
from pipeline.files.forms import Form, check_ascending, check_sizes, floats, integers
from pipeline.models.counts import shares
from pipeline.models.model import Model
from pipeline.models.neighbours import at_unit_length

MOMENT = 60_000
"""Milliseconds that count as one moment: the posts of a burst are about equally near."""

POSTS_PER_CHUNK = 4096
"""Posts of a user that vote, or are compared, at a time, which keeps memory flat."""

LATEST = 2**62
"""The end of times, and of those before 1970: the distance of two times fits into 64 bits."""

UNWEIGHTED = 1e-3
"""The weight of plain counts among the votes: they order tags that only distant posts have."""


@dataclass(frozen=True)
class OwnPosts:
    """Posts with at least one tag, the posts of each user side by side. The fields are a model's tensors."""

    post_user: np.ndarray
    """The user of each post, a position in a vocabulary, int64 (N,), ascending."""
    post_time: np.ndarray
    """Its time in milliseconds, int64 (N,)."""
    post_photo: np.ndarray
    """The vector of its photo, float32 (N, numbers): of length 1 if similarity weighs votes, empty if none is kept."""
    post_tags: np.ndarray
    """The number of its tags, int64 (N,)."""
    post_tag: np.ndarray
    """The tags of all posts, one post after another, int64."""

    @classmethod
    def of(cls, posts: pl.DataFrame, users: Sequence[str], tags: Sequence[str], photos: np.ndarray) -> Self:
        """Keeps posts (columns user, photo, tags, perhaps time) and their vectors, (posts, numbers).

        An unknown time counts as that of the user's oldest post; where none is known, all are alike.
        """
        order = posts.select(pl.arg_sort_by(USER, PHOTO)).to_series()
        posts = posts.with_columns(times(posts))[order]
        time = pl.coalesce(TIME, pl.col(TIME).min().over(USER), 0)
        return cls(
            codes(posts[USER], users),
            posts.select(time).to_series().to_numpy(),
            photos[order.to_numpy()],
            posts[TAGS].list.len().cast(pl.Int64).to_numpy(),
            codes(posts[TAGS].explode(), tags),
        )

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> Self:
        """Takes the fields from among the tensors of a model."""
        return cls(*(tensors[field.name] for field in fields(cls)))

    @staticmethod
    def forms(model: Model, numbers: int | str) -> dict[str, Form]:
        """Returns the forms of the fields in a model. numbers: the length of the photos' vectors."""
        whole = {
            "post_user": integers("kept posts", below=model.count_of(USER)),
            "post_time": integers("kept posts", least=-LATEST, below=LATEST),
            "post_tags": integers("kept posts", least=1),
            "post_tag": integers("tags of posts", below=model.count_of(TAG)),
        }
        # With a sign: sums of signed and unsigned numbers are fractions, which are no positions.
        signed = {name: replace(form, kinds="i") for name, form in whole.items()}
        return signed | {"post_photo": floats("kept posts", numbers)}

    def check(self) -> None:
        """Raises FormError unless the posts are sorted by user, and have all the tags."""
        check_ascending("post_user", self.post_user)
        check_sizes("post_tags", self.post_tags, len(self.post_tag))

    @property
    def tensors(self) -> dict[str, np.ndarray]:
        """The fields by their names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def have_times(self) -> bool:
        """True if the posts differ in time: where none has a time, none is later than another."""
        return bool(self.post_time.size) and bool(self.post_time.min() < self.post_time.max())

    def keep(self, before: Sequence[str], users: Sequence[str]) -> Self:
        """Returns the posts of some users alone. before: the vocabulary of users so far; users: the one from now on."""
        user = codes(pl.Series(before, dtype=pl.String), users)[self.post_user]
        kept = user >= 0
        return type(self)(
            user[kept],
            self.post_time[kept],
            self.post_photo[kept],
            self.post_tags[kept],
            self.post_tag[np.repeat(kept, self.post_tags)],
        )

    def of_user(self, user: int) -> Self:
        """Returns the posts of one user, given by the position in the vocabulary; perhaps none."""
        first, last = np.searchsorted(self.post_user, [user, user + 1])
        start, end = self.post_tags[:first].sum(), self.post_tags[:last].sum()
        return type(self)(
            self.post_user[first:last],
            self.post_time[first:last],
            self.post_photo[first:last],
            self.post_tags[first:last],
            self.post_tag[start:end],
        )

    def take(self, rows: np.ndarray) -> Self:
        """Returns the posts at some positions, in their order."""
        size = self.post_tags[rows]
        first = (np.cumsum(self.post_tags) - self.post_tags)[rows]
        tags = np.repeat(first - (np.cumsum(size) - size), size) + np.arange(size.sum())
        return type(self)(
            self.post_user[rows],
            self.post_time[rows],
            self.post_photo[rows],
            size,
            self.post_tag[tags],
        )

    def of_some_users(self, most: int, total: int) -> "list[OwnPosts]":
        """Returns the latest posts of users drawn at random, each `most` at most, `total` in all at most.

        The draw is the same always.
        """
        drawn, room = [], total
        for user in np.random.default_rng(0).permutation(np.unique(self.post_user)):
            of_user = self.of_user(user)
            latest = np.argsort(-of_user.post_time, kind="stable")[: min(most, room)]
            drawn.append(of_user.take(np.sort(latest)))
            room -= len(latest)
            if not room:
                break
        return drawn

    def times_of(self, posts: pl.DataFrame, users: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the times of `posts`, int64 (posts,), and where they are known, bool (posts,).

        A post of unknown time counts as posted when the user's newest was, if there is one.
        """
        time, user = times(posts), codes(posts[USER], users)
        known, time = time.is_not_null().to_numpy().copy(), time.fill_null(0).to_numpy().copy()
        for each in np.unique(user[~known & (user >= 0)]):
            own, rows = self.of_user(each), ~known & (user == each)
            if len(own.post_time):
                time[rows], known[rows] = own.post_time.max(), True
        return time, known

    def mark_tags(self, tags: int) -> np.ndarray:
        """Marks the tags of the posts, 0 or 1, float64 (N, tags)."""
        marks = np.zeros((len(self.post_tags), tags))
        marks[np.repeat(np.arange(len(marks)), self.post_tags), self.post_tag] = 1
        return marks

    def with_posts(self, posts: pl.DataFrame, users: Sequence[str], tags: Sequence[str], photos: np.ndarray) -> Self:
        """Returns these posts and further ones of one user, which are new: an unknown time counts as the newest."""
        user = codes(posts[USER], users)[0]
        known = np.concatenate([self.of_user(user).post_time, times(posts).drop_nulls().to_numpy()])
        newest = int(known.max()) if known.size else 0
        more = self.of(posts.with_columns(times(posts).fill_null(newest)), users, tags, photos).tensors
        after = np.searchsorted(self.post_user, user, side="right")
        place = dict.fromkeys(more, after) | {"post_tag": self.post_tags[:after].sum()}
        return type(self)(
            *(
                np.concatenate([kept[: place[name]], more[name], kept[place[name] :]])
                for name, kept in self.tensors.items()
            )
        )

    def learn(
        self, posts: pl.DataFrame, names: Mapping[str, Sequence[str]], photos: np.ndarray
    ) -> tuple[list[str], Self]:
        """Adds posts of one user, perhaps a new one, as `with_posts` does. names: the vocabularies so far.

        Returns the new vocabulary of users, and all posts.
        """
        users = vocabulary(pl.concat([pl.Series(names[USER], dtype=pl.String), posts[USER]]))
        return users, self.keep(names[USER], users).with_posts(posts, users, names[TAG], photos)

    def votes(
        self,
        posts: pl.DataFrame,
        users: Sequence[str],
        tags: int,
        photos: np.ndarray,
        fading: float,
        sharpness: float,
        left_out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Returns the votes of a user's posts for each of `posts`, (posts, tags), at most about 1; 0 without any.

        photos: the vectors of `posts`, of length 1, (posts, numbers). A kept post votes for its tags by r e^(sharpness
        · (x·y − 1)): y is the vector of its photo, r its share in the sum of (1 + Δ)^−fading over the user's posts, Δ
        being the distance in moments. Later posts vote as earlier ones do: there are some where test posts are drawn at
        random. A post of unknown time counts as posted when the user's newest was. left_out: for each of `posts`, the
        position of a kept post that does not vote for it, int64; -1, as without any, leaves out none.
        """
        user, (time, _) = codes(posts[USER], users), self.times_of(posts, users)
        left_out = np.full(len(posts), -1) if left_out is None else left_out
        found = np.zeros((len(posts), tags))
        for each in np.unique(user[user >= 0]):
            own, (rows,) = self.of_user(each), np.nonzero(user == each)
            if len(own.post_time):
                silent = left_out[rows] - np.searchsorted(self.post_user, each)
                found[rows] = own._votes(time[rows], photos[rows], tags, fading, sharpness, silent)
        return found

    def _votes(
        self, now: np.ndarray, photos: np.ndarray, tags: int, fading: float, sharpness: float, silent: np.ndarray
    ) -> np.ndarray:
        """Returns the votes of these posts for those at times `now`, (posts,), with vectors, (posts, tags).

        silent: for each of the latter, the position among these posts of one without a vote; negative for none.
        """
        used, column = np.unique(self.post_tag, return_inverse=True)
        ends = np.cumsum(self.post_tags)
        weighted, counted = np.zeros((len(now), len(used))), np.zeros((len(now), len(used)))
        total = np.zeros((len(now), 1))
        for low in range(0, len(ends), POSTS_PER_CHUNK):
            some = slice(low, low + POSTS_PER_CHUNK)
            size = self.post_tags[some]
            # The tags of the posts, (voters, used).
            marks = np.zeros((len(size), len(used)))
            first, last = ends[some][0] - size[0], ends[some][-1]
            marks[np.repeat(np.arange(len(size)), size), column[first:last]] = 1
            # Their weights, (posts, voters).
            distance = np.abs(now[:, None] - self.post_time[some]) / MOMENT
            recency = (1 + distance) ** -fading
            (here,) = np.nonzero((silent >= low) & (silent < low + len(size)))
            recency[here, silent[here] - low] = 0
            weighted += (recency * np.exp(sharpness * (photos @ self.post_photo[some].T - 1.0))) @ marks
            total += recency.sum(axis=1, keepdims=True)
            counted += marks.sum(axis=0)
            counted[here] -= marks[silent[here] - low]
        weighted /= np.where(total > 0, total, 1)
        weighted += UNWEIGHTED * weighted.sum(axis=1, keepdims=True) * shares(counted)
        votes = np.zeros((len(now), tags))
        votes[:, used] = weighted
        return votes


def keeps_vectors(model: Model) -> bool:
    """Recognises a model that keeps vectors of its users' photos, itself or in a component."""
    kept = (each.tensors.get("post_photo") for each in (model, *model.components.values()))
    return any(vectors is not None and vectors.size > 0 for vectors in kept)


def histories(model: Model, posts: pl.DataFrame, features: Features) -> np.ndarray:
    """Counts the posts that a model keeps of each post's user, and finds the nearest, float32 (posts, 2).

    The second number is the greatest cosine of the photo's vector and a kept one. NaN stands where the model keeps no
    posts, or no vectors, and for the nearest of none.
    """
    found = np.full((len(posts), 2), np.nan, np.float32)
    if "post_user" not in model.tensors:
        return found
    kept, user = OwnPosts.from_tensors(model.tensors), codes(posts[USER], model.names[USER])
    sees = kept.post_photo.shape[1] > 0
    photos = model.kept_vectors(posts, features) if sees else no_vectors(posts)
    found[:, 0] = 0
    for each in np.unique(user[user >= 0]):
        own, rows = kept.of_user(each), user == each
        found[rows, 0] = len(own.post_user)
        for low in range(0, len(own.post_user) if sees else 0, POSTS_PER_CHUNK):
            some = at_unit_length(own.post_photo[low : low + POSTS_PER_CHUNK])
            nearest = (at_unit_length(photos[rows]) @ some.T).max(axis=1)
            found[rows, 1] = np.fmax(found[rows, 1], nearest)  # Before the first there is none, NaN.
    return found


def times(posts: pl.DataFrame) -> pl.Series:
    """Returns the times of posts in milliseconds, null where they are unknown, as all are without a column."""
    return posts[TIME] if TIME in posts.columns else pl.Series(TIME, [None] * len(posts), pl.Int64)


def no_vectors(posts: pl.DataFrame) -> np.ndarray:
    """Returns empty vectors, (posts, 0), for a model that sees no photo."""
    return np.zeros((len(posts), 0), np.float32)
