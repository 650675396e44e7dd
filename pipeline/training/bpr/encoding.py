"""Posts as tensors on the device: rows of tables, features of photos, codes of tags."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from pipeline.data.schema import PHOTO, TAG, TAGS, USER
from pipeline.data.vocabulary import codes
from pipeline.features.store import Features
from pipeline.models.factorisation import INTERACTION
from pipeline.models.history import HISTORY, History
from pipeline.training.bpr.layout import Layout
from pipeline.training.bpr.loops.cpu import TagBags
from pipeline.training.bpr.photo_inputs import PhotoInputs


@dataclass(frozen=True)
class PostInputs:
    """The inputs of the contexts for B posts."""

    entities: Mapping[str, Tensor]
    """The row in the table of each context of entities, and of INTERACTION, (B,) int64, −1 for an unknown name."""
    features: Mapping[str, Tensor]
    """For each context of features the numbers to project, (B, m) float32."""
    bags: Mapping[str, TagBags] = field(default_factory=dict)
    """For each context of weighted tags the tags of each post."""

    def __len__(self) -> int:
        return len(next(chain(self.entities.values(), (bags.starts for bags in self.bags.values()))))

    def part(self, low: int, high: int) -> Self:
        """Returns the inputs of some posts in a row, which share the memory."""
        return self.map(lambda rows: rows[low:high])

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        """Returns the inputs with a change to each tensor that has a row for each post."""
        return type(self)(
            entities={name: change(rows) for name, rows in self.entities.items()},
            features={name: change(numbers) for name, numbers in self.features.items()},
            bags={
                name: bags._replace(starts=change(bags.starts), counts=change(bags.counts))
                for name, bags in self.bags.items()
            },
        )


@dataclass(frozen=True)
class EncodedPosts:
    """P posts as the contexts read them; posts of one photo share its features."""

    entities: Mapping[str, Tensor]
    """As in `PostInputs`, (P,)."""
    rows: Tensor
    """The row of each post's photo among them, (P,) int64."""
    features: Mapping[str, PhotoInputs]
    """For each context of features those of all photos."""
    bags: Mapping[str, TagBags]
    """For each context of weighted tags the tags of each post."""

    def select(self, posts: Tensor) -> PostInputs:
        """Reads the inputs of some posts, (B,) int64."""
        rows = self.rows.index_select(0, posts)
        return PostInputs(
            entities={name: known.index_select(0, posts) for name, known in self.entities.items()},
            features={name: photos.select(rows) for name, photos in self.features.items()},
            bags={
                name: bags._replace(
                    starts=bags.starts.index_select(0, posts), counts=bags.counts.index_select(0, posts)
                )
                for name, bags in self.bags.items()
            },
        )

    def read_along(self, posts: Tensor, first: int, size: int, window: int) -> None:
        """Has files read a window before posts are selected, and memory freed a window after, as `size` more are.

        posts: all posts, by windows; first: the number of those that were selected before.
        """
        for photos in self.features.values():
            if photos.files:
                coming = slice(first + window if first else 0, first + window + size)
                photos.read_ahead(self.rows[posts[coming]])
                photos.release(self.rows[posts[max(0, first - window - size) : max(0, first - window)]])

    def tensors(self) -> Iterator[Tensor]:
        """Yields all tensors except the features, to be hashed."""
        yield from (*self.entities.values(), self.rows)
        for bags in self.bags.values():
            yield from (bags.starts, bags.counts, bags.tags, bags.weights)


@dataclass(frozen=True)
class Encoder:
    """Puts posts on the device, in terms of a layout."""

    layout: Layout
    features: Features
    inputs: Mapping[str, PhotoInputs]
    """The features, as in `EncodedPosts`; all posts share them."""
    device: torch.device
    history: History | None = None
    """The posts behind the context HISTORY, where there is one."""

    @classmethod
    def of(cls, layout: Layout, features: Features, device: torch.device, history: History | None = None) -> Self:
        """Puts the features on the device."""
        inputs = {name: PhotoInputs.of(matrices, device) for name, matrices in layout.inputs(features).items()}
        return cls(layout, features, inputs, device, history)

    def encode(self, posts: pl.DataFrame) -> EncodedPosts:
        """Encodes posts (columns user, photo). Raises InputError for a photo without features that contexts read."""
        contexts, names = self.layout.contexts, self.layout.names
        columns = {name: name for name in contexts.names if name in names}
        columns |= {INTERACTION: USER} if contexts.interaction else {}
        entities = {table: self.tensor(codes(posts[name], names[name])) for table, name in columns.items()}
        rows = self.features.rows(posts[PHOTO]) if self.inputs else np.zeros(len(posts), np.int64)
        bags = {HISTORY: self.bags(posts)} if self.history else {}
        return EncodedPosts(entities, self.tensor(rows), self.inputs, bags)

    def bags(self, posts: pl.DataFrame) -> TagBags:
        """Puts the bags of the posts' users on the device."""
        counts, tags, weights = self.history.bags(posts)
        tensors = map(self.tensor, (np.cumsum(counts) - counts, counts, tags, weights))
        return TagBags(*tensors, longest=int(counts.max(initial=0)))

    def assignments(self, posts: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Lists the tag assignments of posts: each one's post, ascending, and its tag, −1 for an unknown one."""
        pairs = posts.select(TAGS).with_row_index("post").explode(TAGS)
        return pairs["post"].to_numpy().astype(np.int64), codes(pairs[TAGS], self.layout.names[TAG])

    def tensor(self, array: np.ndarray) -> Tensor:
        """Copies an array to the device."""
        return torch.tensor(array, device=self.device)
