"""The rows that travel over Ray: chunks of photos, decoded and then computed.

Nothing here imports torch: the processes that decode do without it, and start sooner.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cluster import Columns
from pipeline.data.packed import read_packed
from pipeline.data.photo import Photo
from pipeline.errors import InputError
from pipeline.features.extraction.decoders import DECODERS
from pipeline.features.extraction.decoding import Preprocess
from pipeline.features.extraction.engine import PhotoTask

if TYPE_CHECKING:
    import pyarrow as pa


Chunk = tuple[Sequence[PhotoTask], Sequence[Photo] | None]
"""Photos that travel together, with their bytes unless the shards lie where they are decoded."""


def decode_chunk(chunk: Chunk, preprocess: Sequence[Preprocess], nice: int, decoder: str) -> Columns:
    """Decodes photos: for each extractor, the hashes and pixels of those that it is wanted for.

    nice: the least niceness of the process.
    decoder: the name of the decoder.

    A photo that cannot be decoded is left out; the column `fault` has the message for the first one.
    """
    os.setpriority(os.PRIO_PROCESS, 0, max(nice, os.getpriority(os.PRIO_PROCESS, 0)))
    hashes: list[list[str]] = [[] for _ in preprocess]
    pixels: list[list[np.ndarray]] = [[] for _ in preprocess]
    fault = None
    tasks, photos = chunk
    if photos is None:
        photos = read_packed(task.photo for task in tasks)
    for task, photo in zip(tasks, photos, strict=True):
        try:
            image = DECODERS[decoder](photo)
        except InputError as error:
            fault = fault or str(error)
            continue
        for number in task.wanted:
            hashes[number].append(task.photo.hash)
            pixels[number].append(preprocess[number](image))
    return row(hashes, fault, pixels=[np.stack(each).tobytes() if each else b"" for each in pixels])


def row(hashes: list[list[str]], fault: str | None, **values: list[Any]) -> dict[str, "pa.Array"]:
    """Returns the columns of a row: lists with an element for each extractor, and the message of a fault."""
    import pyarrow as pa

    types = {"pixels": pa.large_binary(), "vectors": pa.binary(), "seconds": pa.float64()}
    columns = {name: pa.array([each], pa.list_(types[name])) for name, each in values.items()}
    return columns | {
        "hashes": pa.array([hashes], pa.list_(pa.list_(pa.string()))),
        "fault": pa.array([fault], pa.string()),
    }
