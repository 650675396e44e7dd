"""The baseline of visual neighbours: the training photos that look most like a photo vote for their tags."""

from typing import Self

import numpy as np
import polars as pl

from pipeline.data.vocabulary import codes, vocabulary
from pipeline.errors import InputError
from pipeline.features.store import Features, feature_names
from pipeline.models.config import NeighboursConfig
from pipeline.models.model import Baseline


class Neighbours(Baseline):
    """Neighbour voting: how many more of the k nearest training photos have a tag than of k photos on average.

    Scores: votes − k n_t / N. A training photo votes for all tags that it was posted with, n_t of the N photos for t.
    Near is a small Euclidean distance over all numbers of the feature set, as the store scaled them; of photos equally
    far the first by name is nearer. A photo that is itself in training, posted by others, is its own nearest.

    Li, Snoek & Worring, Learning social tag relevance by neighbor voting, IEEE Transactions on Multimedia 11 (2009);
    without their rule that a user has one photo among the neighbours, for which small folksonomies have too few users.

    Tensors: "vectors" float32, the distinct vectors of training photos; "vector" int64 (N,), the row of each photo's
    own; "photo" and "tag" int64, the distinct assignments. So a model needs no features of its training photos.
    """

    @classmethod
    def fit(cls, config: NeighboursConfig, posts: pl.DataFrame, features: Features) -> Self:
        """Keeps the vectors. Raises InputError, too, where there are no more photos than neighbours: all would vote."""
        photos, tags = posts["photo"].unique().sort(), vocabulary(posts["tags"].explode())
        if len(photos) <= config.neighbours:
            raise InputError(
                f"There are {len(photos)} training photos, too few for {config.neighbours} neighbours: lower the "
                "model's `neighbours`, in its grid, too."
            )
        # Equal vectors share a row, so that they are equally far: a matrix product rounds each column its own way.
        vectors, vector = np.unique(concatenated(config, photos, features), axis=0, return_inverse=True)
        names = {"photos": photos.to_list(), "tags": tags}
        pairs = posts.explode("tags").select("photo", "tags").unique().sort("photo", "tags")
        assignments = {"photo": codes(pairs["photo"], names["photos"]), "tag": codes(pairs["tags"], tags)}
        return cls(config, names, {"vectors": vectors, "vector": vector} | assignments)

    def scores(self, posts: pl.DataFrame, features: Features) -> np.ndarray:
        k, photos = self.config.neighbours, len(self.tensors["vector"])
        asked = concatenated(self.config, posts["photo"], features)
        near = nearest(asked, self.tensors["vectors"], self.tensors["vector"], k)
        voters = pl.DataFrame({"row": np.repeat(np.arange(len(posts)), k), "photo": near.ravel()})
        ballots = voters.join(pl.DataFrame({name: self.tensors[name] for name in ("photo", "tag")}), on="photo")
        votes = np.zeros((len(posts), len(self.tags)), np.int64)
        np.add.at(votes, (ballots["row"].to_numpy(), ballots["tag"].to_numpy()), 1)
        return (photos * votes - k * np.bincount(self.tensors["tag"], minlength=len(self.tags))) / photos


def concatenated(config: NeighboursConfig, photos: pl.Series, features: Features) -> np.ndarray:
    """All numbers of the feature set for photos, side by side, (photos, numbers) float32."""
    rows = features.rows(photos)
    return np.concatenate([features.matrices[name][rows] for name in feature_names(config.features)], axis=1)


def nearest(asked: np.ndarray, vectors: np.ndarray, vector: np.ndarray, k: int) -> np.ndarray:
    """For each vector asked, the k positions in `vector` (rows of `vectors`) of least distance, (asked, k) int64.

    In no order; of equally far ones the first.
    """
    distances = (-2 * asked) @ vectors.T
    distances += np.square(vectors).sum(axis=1)  # squared, but for a constant of each row
    return np.stack([least(row[vector], k) for row in distances])


def least(values: np.ndarray, k: int) -> np.ndarray:
    """The positions of the k least values; of equals the first."""
    bound = np.partition(values, k - 1)[k - 1]
    return np.concatenate([np.flatnonzero(values < bound), np.flatnonzero(values == bound)])[:k]
