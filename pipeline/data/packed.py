"""Places of photos in shards, from which each decoding process reads the bytes itself.

pyarrow is imported for reading only: suggesting does without it.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path

from pipeline.data.photo import Photo
from pipeline.data.schema import HEIGHT, JPEG, WIDTH
from pipeline.errors import DamagedError
from pipeline.files.parquet import intact


@dataclass(frozen=True, slots=True)
class PackedPhoto:
    """A photo's place in a shard."""

    id: str
    """The photo's id."""
    hash: str
    """The SHA-256 of its JPEG, in hexadecimal."""
    shard: Path
    """The file."""
    row: int
    """Its row in the file."""


def jpeg_hash(data: bytes) -> str:
    """Returns a photo's name wherever vectors are kept: the SHA-256 of its JPEG, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_packed(photos: Iterable[PackedPhoto]) -> Iterator[Photo]:
    """Reads photos, in their order, neighbours in a shard together.

    Raises ArtifactError when a shard is missing or damaged, also where its photos are no longer those that were listed.
    """
    import pyarrow.parquet as pq

    for shard, of_shard in groupby(photos, lambda photo: photo.shard):
        with intact(shard), pq.ParquetFile(shard) as file:
            ends = list(accumulate(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)))
            for group, of_group in groupby(of_shard, lambda photo: bisect_right(ends, photo.row)):  # noqa: B023 (used at once)
                rows = file.read_row_group(group, [JPEG, WIDTH, HEIGHT]).to_pylist()
                for photo in of_group:
                    row = rows[photo.row - ends[group]]  # Counted from the end of its group.
                    if jpeg_hash(row[JPEG]) != photo.hash:
                        raise DamagedError(f"{shard} is damaged: it has another photo in place of {photo.id!r}.")
                    yield Photo(photo.id, row[JPEG], row[WIDTH], row[HEIGHT])
