"""The baseline of the user's own photos: those that look like a photo, and were posted near to it, vote."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.data.schema import PHOTO, TAG, TAGS, USER
from pipeline.data.vocabulary import codes, vocabularies
from pipeline.features.store import Features
from pipeline.files.forms import EXACT, Form, FormError, floats
from pipeline.models.counts import TIE_BREAK, count_tags
from pipeline.models.model import BIAS, NUMBERS, Baseline, ExtractorNote
from pipeline.models.neighbours import at_unit_length, concatenated
from pipeline.models.own_posts import OwnPosts
from pipeline.models.settings import BaseModelConfig, SomeFeatures

OWN, EVERYONE = "own photos", "all photos"
"""The parts of scores that come from the user's own photos, and from everyone's."""

LONGEST = 1.001
"""The length of a vector at length 1, at most, and of a mean of such vectors, with rounding."""


class OwnPhotosConfig(BaseModelConfig):
    """The settings of the user's own photos."""

    kind: Literal["own-photos"] = Field(description="The user's own photos nearest in look and time vote.")
    features: SomeFeatures = Field(description="The feature set by which photos are near.")
    fading: float = Field(
        ge=0, le=10, description="The power of time by which a post fades; 0 leaves times out.", examples=[0.5]
    )
    sharpness: float = Field(
        ge=0,
        le=100,
        description="The factor of the cosine of two photos: 0 leaves their look out, with 50 the nearest decides.",
        examples=[4.0],
    )
    personal: float = Field(
        ge=0, le=1, description="Weight of the user's own photos; everyone's have the rest.", examples=[0.9]
    )


class OwnPhotos(Baseline):
    """The tags of the user's own photos that are nearest in look and in time, mixed with everyone's.

    Scores: the share of t in personal · A(t, x | u) + (1 − personal) · A(t, x). A(t, x | u) sums r_j e^(sharpness ·
    (x·y_j − 1)) over the user's posts j with t: attention over a memory, times r_j, the share of the post in the
    activation of `Recency`. A(t, x) is n_t / N · e^(sharpness · (x·c_t − 1)), where c_t is the mean vector of the n_t
    of N posts with t: the same over everyone's posts, their geometric mean in place of the arithmetic one, so that
    nobody's vectors have to be kept. It decides where none of the user's own photos is alike, and for new users. The
    vectors x and y are those of the feature set, scaled, side by side, divided by their length.

    The memory of a user's own posts: Zhang, Wang, Huang, Huang & Gong, Hashtag recommendation for photo sharing
    services, AAAI 2019 (MACON), without its network.

    Tensors: those of `OwnPosts`; "mean" float32 (T, numbers), c_t; "share" float64 (T,), n_t / N.
    """

    Config = OwnPhotosConfig
    label = "Tags of the user's similar photos"
    goes_by = "the user’s own photos most like it, the nearest in time most"
    part_words: ClassVar = {OWN: "your photos most {like} have it", EVERYONE: "photos of its {shared} have it"}
    sees_times = True

    @classmethod
    def fit(cls, config: OwnPhotosConfig, posts: pl.DataFrame, features: Features) -> Self:
        names = vocabularies(posts, USER)
        extractors = ExtractorNote.of(features)
        photos, share = directions(extractors, posts, features), count_tags(posts, names[TAG]) / len(posts)
        own = OwnPosts.of(posts, names[USER], names[TAG], photos)
        tensors = {"share": share, "mean": means(posts, names[TAG], photos)} | own.tensors
        return cls(config, names, tensors, extractors)

    @property
    def forms(self) -> Mapping[str, Form]:
        tags = self.count_of(TAG)
        own = OwnPosts.forms(self, NUMBERS)
        return {"share": floats(tags, least=1 / EXACT), "mean": floats(tags, NUMBERS)} | own

    def check(self, widths: Mapping[str, int] | None = None) -> None:
        super().check(widths)
        OwnPosts.from_tensors(self.tensors).check()
        for name in ("post_photo", "mean"):
            check_lengths(name, self.tensors[name])

    def kept_vectors(self, posts: pl.DataFrame, features: Features) -> np.ndarray:
        return directions(self.extractors, posts, features)

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:
        share, config = self.tensors["share"], self.config
        photos = self.kept_vectors(posts, features)
        own = config.personal * OwnPosts.from_tensors(self.tensors).votes(
            posts, self.names[USER], len(share), photos, config.fading, config.sharpness
        )
        # x·c_t, (posts, T), at most 1, as ‖x‖ = 1 and ‖c_t‖ ≤ 1.
        alike = photos @ self.tensors["mean"].T
        everyone = (1 - config.personal) * share * np.exp(config.sharpness * (alike - 1.0))
        total = (own + everyone).sum(axis=1, keepdims=True)
        total[total == 0] = 1
        return {
            OWN: own / total,
            EVERYONE: everyone / total,
            BIAS: np.broadcast_to(TIE_BREAK * share / share.max(), own.shape),
        }

    def _fold_in(self, user: str, posts: pl.DataFrame, features: Features) -> Self:  # noqa: ARG002 (that of the posts)
        photos = directions(self.extractors, posts, features)
        users, own = OwnPosts.from_tensors(self.tensors).learn(posts, self.names, photos)
        return self._with({USER: users}, own.tensors)

    def _keep_users(self, users: Sequence[str]) -> Self:
        own = OwnPosts.from_tensors(self.tensors).keep(self.names[USER], users)
        return self._with({USER: users}, own.tensors)


def check_lengths(name: str, vectors: np.ndarray) -> None:
    """Raises FormError for a vector that is longer than 1."""
    if np.linalg.norm(vectors, axis=1).max(initial=0) > LONGEST:
        raise FormError(f"{name} has a vector that is longer than 1")


def directions(extractors: Mapping[str, ExtractorNote], posts: pl.DataFrame, features: Features) -> np.ndarray:
    """Returns the features of the photos of posts, side by side, at length 1 unless all are zero, (posts, numbers).

    Looks and places count alike: their cosines' mean is that of two photos of which both are known.
    """
    groups = [[name for name, note in extractors.items() if note.of_places == of_places] for of_places in (False, True)]
    units = [at_unit_length(concatenated(group, posts[PHOTO], features)) for group in groups if group]
    return units[0] if len(units) == 1 else at_unit_length(np.concatenate(units, axis=1))


def means(posts: pl.DataFrame, tags: Sequence[str], vectors: np.ndarray) -> np.ndarray:
    """Returns the mean vector of the posts with each tag, float32 (T, numbers)."""
    pairs = posts.select(TAGS).with_row_index("post").explode(TAGS).sort(TAGS, "post")
    of, tag = pairs["post"].to_numpy(), codes(pairs[TAGS], tags)
    starts = np.searchsorted(tag, np.arange(len(tags) + 1))
    return np.stack([vectors[of[low:high]].mean(axis=0) for low, high in pairwise(starts)])
