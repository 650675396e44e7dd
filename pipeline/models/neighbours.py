"""The baseline of visual neighbours: the training photos that look most like a photo vote for their tags."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.data.schema import PHOTO, TAG, TAGS
from pipeline.data.vocabulary import codes, vocabulary
from pipeline.errors import SettingError
from pipeline.features.store import Features
from pipeline.files.forms import Form, FormError, floats, integers
from pipeline.models.model import BIAS, NUMBERS, Baseline, ExtractorNote
from pipeline.models.settings import BaseModelConfig, SomeFeatures
from pipeline.words import counted

VOTES = "neighbours"
"""The part of scores that the neighbours vote."""


class NeighboursConfig(BaseModelConfig):
    """The settings of neighbour voting."""

    kind: Literal["neighbours"] = Field(description="The nearest training photos vote for their tags.")
    features: SomeFeatures = Field(description="The feature set by which photos are near.")
    neighbours: int = Field(ge=1, description="Photos that vote (k).", examples=[10])


class Neighbours(Baseline):
    """Neighbour voting: the number of the k nearest training photos with a tag, less that expected by chance.

    Scores: votes − k n_t / N. A training photo votes for all tags that it was posted with, n_t of the N photos for t.
    Nearness is by Euclidean distance over all numbers of the feature set, scaled; among photos equally far, the first
    by name is nearer. A photo that is itself in training, posted by others, is its own nearest.

    Li, Snoek & Worring, Learning social tag relevance by neighbor voting, IEEE Transactions on Multimedia 11 (2009);
    without their rule that a user has one photo among the neighbours, for which small folksonomies have too few users.

    Tensors: "vectors" float32, the distinct vectors of training photos; "row" int64 (N,), the row of each photo's own;
    "photo" and "tag" int64, the distinct assignments. So a model needs no features of its training photos.
    """

    Config = NeighboursConfig
    part_words: ClassVar = {VOTES: "photos most {like} have it"}
    label = "Tags of similar photos"
    goes_by = "the tags of the photos most like it, whoever posted them"

    @classmethod
    def check_size(cls, config: NeighboursConfig, photos: int, tags: int) -> None:
        super().check_size(config, photos, tags)
        if photos <= config.neighbours:
            raise SettingError(
                "neighbours",
                f"is {config.neighbours}; of {counted(photos, 'training photos')} all would vote: choose a smaller "
                "number.",
            )

    @classmethod
    def fit(cls, config: NeighboursConfig, posts: pl.DataFrame, features: Features) -> Self:
        """Keeps the vectors. Raises SettingError where there are no more photos than neighbours: all would vote."""
        photos, tags = posts[PHOTO].unique().sort(), vocabulary(posts[TAGS].explode())
        cls.check_size(config, len(photos), len(tags))
        # Equal vectors share a row, so that they are equally far: a matrix product rounds each column its own way.
        extractors = ExtractorNote.of(features)
        vectors, row = np.unique(concatenated(extractors, photos, features), axis=0, return_inverse=True)
        names = {PHOTO: photos.to_list(), TAG: tags}
        pairs = posts.explode(TAGS).select(PHOTO, TAGS).unique().sort(PHOTO, TAGS)
        assignments = {PHOTO: codes(pairs[PHOTO], names[PHOTO]), TAG: codes(pairs[TAGS], tags)}
        return cls(config, names, {"vectors": vectors, "row": row} | assignments, extractors)

    @property
    def forms(self) -> Mapping[str, Form]:
        photos, tags = self.count_of(PHOTO), self.count_of(TAG)
        return {
            "vectors": floats("distinct vectors", NUMBERS),
            "row": integers(photos, below=len(self.tensors["vectors"])),
            PHOTO: integers("distinct pairs", below=photos),
            TAG: integers("distinct pairs", below=tags),
        }

    def check(self, widths: Mapping[str, int] | None = None) -> None:
        super().check(widths)
        if self.count_of(PHOTO) < self.config.neighbours:
            raise FormError(f"it has fewer photos than the {self.config.neighbours} that vote")

    def parts(self, posts: pl.DataFrame, features: Features) -> dict[str, np.ndarray]:
        k, photos = self.config.neighbours, len(self.tensors["row"])
        # The k voters of each post, and one ballot for each of their tags.
        near = nearest(
            concatenated(self.extractors, posts[PHOTO], features), self.tensors["vectors"], self.tensors["row"], k
        )
        voters = pl.DataFrame({"post": np.repeat(np.arange(len(posts)), k), PHOTO: near.ravel()})
        ballots = voters.join(pl.DataFrame({name: self.tensors[name] for name in (PHOTO, TAG)}), on=PHOTO)
        # Votes (posts, T), less those of k photos on average (T,).
        votes = np.zeros((len(posts), len(self.tags)))
        np.add.at(votes, (ballots["post"].to_numpy(), ballots[TAG].to_numpy()), 1)
        average = k * np.bincount(self.tensors[TAG], minlength=len(self.tags)) / photos
        return {VOTES: votes, BIAS: np.broadcast_to(-average, votes.shape)}

    def words(self, part: str, addend: float, seen: Mapping[str, ExtractorNote] | None = None) -> str:
        return f"{addend:.0f} of the {super().words(part, addend, seen)}"


def concatenated(extractors: Iterable[str], photos: pl.Series, features: Features) -> np.ndarray:
    """Returns all numbers of the feature set for photos, side by side, float32 (photos, numbers)."""
    rows = features.rows(photos)
    return np.concatenate([features.matrices[extractor][rows] for extractor in extractors], axis=1)


def split(vectors: np.ndarray, widths: Sequence[int]) -> list[np.ndarray]:
    """Splits vectors that are side by side, (photos, numbers), into those of each extractor."""
    return np.split(vectors, np.cumsum(widths)[:-1], axis=1) if widths else []


def at_unit_length(vectors: np.ndarray) -> np.ndarray:
    """Returns vectors, (photos, numbers), divided by their lengths, unless all numbers are zero."""
    largest = np.abs(vectors).max(axis=1, initial=0, keepdims=True)
    # In float32 the squares of smaller or larger numbers would lose digits, or overflow.
    extreme = (largest > 0) & ((largest < 1e-15) | (largest > 1e15))
    vectors = vectors / np.where(extreme, largest, 1)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def nearest(points: np.ndarray, vectors: np.ndarray, row: np.ndarray, k: int) -> np.ndarray:
    """Returns, for each point, the k positions in `row` (rows of `vectors`) of least distance, int64 (points, k).

    They are in no order; among equally far ones, the first are taken.
    """
    # Relative to one of the vectors: in float32, the squares of vectors far from the origin would swamp their
    # differences.
    origin = vectors[len(vectors) // 2]
    points, vectors = points - origin, vectors - origin
    distances = (-2 * points) @ vectors.T
    distances += np.square(vectors).sum(axis=1)  # squared, less a constant of each point; (points, vectors)
    return np.array([least(of_point[row], k) for of_point in distances], np.int64).reshape(-1, k)


def least(values: np.ndarray, k: int) -> np.ndarray:
    """Returns the positions of the k least values; among equal values, the first."""
    bound = np.partition(values, k - 1)[k - 1]
    return np.concatenate([np.flatnonzero(values < bound), np.flatnonzero(values == bound)])[:k]
