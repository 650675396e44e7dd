"""FM and PITF that know users by the tags of their posts, weighted by time, with or without factors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.data.schema import PHOTO, POST, TAG, USER
from pipeline.features.store import Features
from pipeline.files.forms import Form, floats
from pipeline.models.counts import shares
from pipeline.models.factorisation import Factorisation, FactorisationConfig
from pipeline.models.own_posts import OwnPosts, no_vectors
from pipeline.models.ranking import POSTS_PER_CHUNK

HISTORY = "history"
"""The context, and the part of scores, of the tags that the user has used."""

MAX_BAG = 200
"""Tags in a bag, a post's history with its weights, at most.

Only the greatest weights stay, which bounds memory.
"""


@dataclass(frozen=True)
class History:
    """The training posts that users are known by, as training reads them: each is left out of its own bag."""

    own: OwnPosts
    """The posts, as the model keeps them."""
    places: pl.DataFrame
    """The user and photo of each, and its position in `own`."""
    names: Mapping[str, Sequence[str]]
    """The vocabularies of USER and TAG."""
    fading: float
    """d, the power of time by which a post fades."""

    @classmethod
    def of(cls, posts: pl.DataFrame, names: Mapping[str, Sequence[str]], fading: float) -> Self:
        """Keeps posts (columns user, photo, tags, perhaps time)."""
        own = OwnPosts.of(posts, names[USER], names[TAG], no_vectors(posts))
        return cls(own, posts.select(POST).sort(POST).with_row_index("place"), names, fading)

    def bags(self, posts: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weighs the tags of the user of each post (columns user, photo, perhaps time).

        Returns the number of tags of each post, int64 (P,), and end to end the tags of all posts, int64 (N,), and their
        weights, above zero, float32 (N,).
        """
        places = posts.select(POST).join(self.places, on=POST, how="left", maintain_order="left")["place"]
        left_out, found = places.cast(pl.Int64).fill_null(-1).to_numpy(), []
        for low in range(0, len(posts), POSTS_PER_CHUNK):
            some = slice(low, low + POSTS_PER_CHUNK)
            weights = tag_weights(self.own, posts[some], self.names, self.fading, left_out[some])
            post, tag = np.nonzero(weights)
            found.append((post + low, tag, weights[post, tag]))
        nothing = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
        post, tags, weights = (np.concatenate(parts) for parts in zip(nothing, *found, strict=True))
        return np.bincount(post, minlength=len(posts)), tags, weights


def tag_weights(
    own: OwnPosts,
    posts: pl.DataFrame,
    names: Mapping[str, Sequence[str]],
    fading: float,
    left_out: np.ndarray | None = None,
) -> np.ndarray:
    """Returns the bag of each post: the votes of its user's posts, as shares of their sum, float32 (posts, T).

    It is zero for an unknown user. The votes, fading and left_out are those of `OwnPosts.votes`; only the MAX_BAG
    greatest votes count, of equal ones those of the first tags.
    """
    votes = own.votes(posts, names[USER], len(names[TAG]), no_vectors(posts), fading, 0, left_out)
    if votes.shape[1] > MAX_BAG:
        least = np.partition(votes, -MAX_BAG, axis=1)[:, [-MAX_BAG]]
        above, equal = votes > least, votes == least
        votes[~above & ~(equal & (above.sum(axis=1, keepdims=True) + equal.cumsum(axis=1) <= MAX_BAG))] = 0
    return shares(votes).astype(np.float32)


class HistoryConfig(FactorisationConfig):
    """The settings of FM and PITF with a history."""

    kind: Literal["fm-history", "pitf-history"] = Field(
        description="As fm or pitf, with the user's own tags in place of the user's factor."
    )
    user_factor: bool | None = Field(
        default=None, description="True for both: the user's own tags and the user's factor."
    )
    fading: float = Field(
        ge=0, le=10, description="d, the power of time by which a past post fades; 0 counts all alike.", examples=[0.5]
    )

    @property
    def user_contexts(self) -> tuple[str, ...]:
        return (USER, HISTORY) if self.user_factor else (HISTORY,)


class HistoryFactorisation(Factorisation):
    """FM or PITF with a user's vector Σ w_t h_t over the tags t of their posts, weighted by time.

    Without `user_factor` an accepted post changes the bag alone, and a new user needs no training; with it, the user's
    factor is learnt as well. In training, and where the factor is learnt, a post is left out of its own bag. Where no
    time is known, all posts count alike.

    Kabbur, Ning & Karypis, FISM: factored item similarity models for top-N recommender systems, KDD 2013, with tags for
    items and the weights of base-level learning (Kowald et al., WWW 2014); both vectors: Koren's SVD++, KDD 2008.

    Tensors: those of `Factorisation`, HISTORY (T, k) instead of USER, or both; and those of `OwnPosts`, without
    vectors.
    """

    Config = HistoryConfig
    sees_times = True

    @cached_property
    def part_words(self) -> Mapping[str, str]:
        """Words for the history, which is of the latest tags where times are known."""
        lately = OwnPosts.from_tensors(self.tensors).have_times
        return super().part_words | {HISTORY: "goes with the tags that you " + ("used lately" if lately else "use")}

    @property
    def forms(self) -> Mapping[str, Form]:
        return super().forms | {HISTORY: floats(self.count_of(TAG), "numbers of a factor")} | OwnPosts.forms(self, 0)

    def check(self, widths: Mapping[str, int] | None = None) -> None:
        super().check(widths)
        OwnPosts.from_tensors(self.tensors).check()

    @classmethod
    def history(cls, config: HistoryConfig, posts: pl.DataFrame, names: Mapping[str, Sequence[str]]) -> History:
        return History.of(posts, names, config.fading)

    def context(self, name: str, posts: pl.DataFrame, features: Features) -> np.ndarray:
        if name != HISTORY:
            return super().context(name, posts, features)
        return self._of_bags(posts)

    def _of_bags(self, posts: pl.DataFrame, left_out: np.ndarray | None = None) -> np.ndarray:
        """Returns the vectors of the bags of posts, (posts, k); left_out: as in `tag_weights`."""
        own = OwnPosts.from_tensors(self.tensors)
        return tag_weights(own, posts, self.names, self.config.fading, left_out) @ self.tensors[HISTORY]

    def _fold_in(self, user: str, posts: pl.DataFrame, features: Features) -> Self:
        users, own = OwnPosts.from_tensors(self.tensors).learn(posts, self.names, no_vectors(posts))
        known = self._with_user(user)._with({}, own.tensors)
        if not self.config.user_factor:
            return known
        # In its own bag, a post would explain its tags, and leave the factor little to learn. In `own`, the user's new
        # posts come last, by photo.
        end = np.searchsorted(own.post_user, users.index(user), side="right")
        places = pl.Series("place", np.arange(end - len(posts), end))
        posts = self._trainable(posts.sort(PHOTO, maintain_order=True).with_columns(places))
        vectors = known._of_bags(posts, posts["place"].to_numpy())
        history = vectors @ known.tensors[TAG][:, known._contexts.columns(HISTORY)].T
        return known._learn_factor(user, posts, known.parts(posts, features) | {HISTORY: history})

    def _keep_users(self, users: Sequence[str]) -> Self:
        own = OwnPosts.from_tensors(self.tensors).keep(self.names[USER], users)
        return super()._keep_users(users)._with({}, own.tensors)
