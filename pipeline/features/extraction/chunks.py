"""What travels over Ray: chunks of photos, decoded and then computed, as the columns of a row.

Nothing here imports torch: the processes that decode do without, and start the sooner.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cluster import Columns
from pipeline.errors import InputError
from pipeline.features.extraction.decoding import Preprocess
from pipeline.features.extraction.engine import Task
from pipeline.features.images import decode

if TYPE_CHECKING:
    import pyarrow as pa


def decode_chunk(tasks: Sequence[Task], preprocess: Sequence[Preprocess], nice: int) -> Columns:
    """For each extractor the keys and pixels of the photos that it is wanted for, at this niceness at least.

    A photo that cannot be decoded is left out; `fault` tells of the first one.
    """
    os.setpriority(os.PRIO_PROCESS, 0, max(nice, os.getpriority(os.PRIO_PROCESS, 0)))
    keys: list[list[str]] = [[] for _ in preprocess]
    pixels: list[list[np.ndarray]] = [[] for _ in preprocess]
    fault = None
    for task in tasks:
        try:
            image = decode(task.photo)
        except InputError as error:
            fault = fault or str(error)
            continue
        for number in task.wanted:
            keys[number].append(task.key)
            # Channels last, the layout that networks want.
            pixels[number].append(preprocess[number](image).transpose(1, 2, 0))
    return row(keys, fault, pixels=[np.stack(of).tobytes() if of else b"" for of in pixels])


def row(keys: list[list[str]], fault: str | None, **values: list[Any]) -> dict[str, "pa.Array"]:
    """The columns of a row: lists with an element for each extractor, numbers or bytes, and what went wrong."""
    import pyarrow as pa

    types = {"pixels": pa.large_binary(), "vectors": pa.binary(), "seconds": pa.float64()}
    columns = {name: pa.array([of], pa.list_(types[name])) for name, of in values.items()}
    return columns | {
        "keys": pa.array([keys], pa.list_(pa.list_(pa.string()))),
        "fault": pa.array([fault], pa.string()),
    }
