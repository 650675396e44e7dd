"""F1@5 of models in training, where their parameters lie, as `pipeline.evaluation` counts it (Eq. 10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from pipeline.data.schema import TAG
from pipeline.data.vocabulary import codes
from pipeline.features.store import Features
from pipeline.models.factorisation import Contexts
from pipeline.training.bpr import loops as ways
from pipeline.training.bpr.gradients import post_vectors

K = 5

CHUNK = 1024
"""Posts scored at a time."""


@dataclass(frozen=True)
class Judge:
    """Posts with their tags on the device. A user, photo or tag that the model does not know is −1."""

    entities: Mapping[str, Tensor]
    features: Mapping[str, Tensor]
    rows: Tensor
    post: Tensor
    tag: Tensor
    sizes: Tensor

    @classmethod
    def encode(
        cls,
        posts: pl.DataFrame,
        contexts: Contexts,
        names: Mapping[str, Sequence[str]],
        features: Mapping[str, Tensor],
        photos: Features,
        device: torch.device,
    ) -> Self:
        """Puts posts (columns user, photo, tags) on the device; `features` are there already, in the store's order."""
        known = {name: codes(posts[name], names[name]) for name in contexts.names if name not in features}
        pairs = posts.select("tags").with_row_index("post").explode("tags")
        tag = codes(pairs["tags"], names[TAG])
        rows = photos.rows(posts["photo"]) if features else np.zeros(len(posts), np.int64)

        def tensor(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.array(array, np.int64)).to(device)

        return cls(
            entities={name: tensor(rows) for name, rows in known.items()},
            features=features,
            rows=tensor(rows),
            post=tensor(pairs["post"].to_numpy()[tag >= 0]),
            tag=tensor(tag[tag >= 0]),
            sizes=tensor(posts["tags"].list.len().to_numpy()),
        )

    def f1(self, contexts: Contexts, parameters: Mapping[str, Tensor]) -> list[float]:
        """F1@5 of each of G trials, whose parameters are (rows, G, columns)."""
        counts = [self.hits(contexts, parameters, first) for first in range(0, len(self.sizes), CHUNK)]
        hits = torch.cat(counts, dim=1).double()
        precision, recall = (hits / K).mean(dim=1), (hits / self.sizes).mean(dim=1)
        both = precision + recall
        return (2 * precision * recall / torch.where(both == 0, 1, both)).tolist()

    def hits(self, contexts: Contexts, parameters: Mapping[str, Tensor], first: int) -> Tensor:
        """How many of the best five are tags of the post, for a chunk of posts, (G, B) int64."""
        tag = parameters["tag"]
        size = min(CHUNK, len(self.sizes) - first)
        chunk = slice(first, first + size)
        entities = {name: rows[chunk] for name, rows in self.entities.items()}
        features = {name: matrix.index_select(0, self.rows[chunk]) for name, matrix in self.features.items()}
        vectors = post_vectors(contexts, parameters, entities, features, size)
        scores = vectors.transpose(0, 1) @ tag.permute(1, 2, 0)
        if "bias" in parameters:
            scores += parameters["bias"].permute(1, 2, 0)
        low, high = torch.searchsorted(self.post, torch.tensor([first, first + size], device=tag.device)).tolist()
        relevant = torch.zeros(scores.shape[1:], dtype=torch.bool, device=tag.device)
        relevant[self.post[low:high] - first, self.tag[low:high]] = True
        top = best(scores, min(K, scores.shape[2]))
        return relevant.expand(scores.shape).gather(2, top).sum(2)


def best(scores: Tensor, length: int) -> Tensor:
    """The places of the highest scores (…, T), (…, length) int64. On a GPU which of equals comes first is left open."""
    top = torch.empty(*scores.shape[:-1], length, dtype=torch.int64, device=scores.device)
    ways.of(scores).best(scores.flatten(0, -2), top.view(-1, length))
    return top
