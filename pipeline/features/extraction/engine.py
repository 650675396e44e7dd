"""The interface of engines, which turn photos into vectors, on this machine or on many."""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data.packed import PackedPhoto

if TYPE_CHECKING:
    from pipeline.features.extractor import Extractor  # torch, which whoever only decodes does without


@dataclass(frozen=True)
class PhotoTask:
    """A photo that lacks vectors.

    photo: the photo's place in a shard.
    wanted: the numbers of the extractors that lack a vector of it; at least one.
    """

    photo: PackedPhoto
    wanted: frozenset[int]


@dataclass(frozen=True)
class Vectors:
    """The vectors of some photos by one extractor.

    extractor: its number.
    hashes: of the photos.
    vectors: float32 (len(hashes), dimension), in the order of the hashes.
    seconds: spent only on waiting for the network. The rest of an engine's time goes into reading and decoding.
    """

    extractor: int
    hashes: list[str]
    vectors: np.ndarray
    seconds: float = 0.0


Engine = Callable[[Sequence["Extractor"], Iterable[PhotoTask]], Generator[Vectors, None, None]]
"""A function that computes each task once with each extractor that wants it, and yields the vectors in any order.

Tasks are taken as they are needed, in the caller's thread, so that memory stays flat. On a CPU a photo's vector is the
same bytes whatever its neighbours: batches are filled up to BATCH. Raises InputError for a photo that cannot be
decoded, after it has given what was finished before, and when the network lacks memory.
"""
