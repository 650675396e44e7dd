"""Tables of features: a vector for each photo, and the record of the extractor that made them.

pyarrow is imported by what makes tables: suggesting tags does without it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data.schema import PHOTO, VECTOR
from pipeline.errors import ArtifactError
from pipeline.files.parquet import read_metadata

if TYPE_CHECKING:
    import pyarrow as pa

UNTRAINED = "seeded"
"""The weights of an untrained network, in its record."""

PLACE = "place"
"""The kind of the extractor whose vectors are those of where photos were taken, in its record."""

RECORD = b"extractor"
"""The key of the record in a table's metadata."""


def canonical(record: Mapping[str, Any]) -> str:
    """Writes a record as JSON, always in the same bytes."""
    return json.dumps(record, sort_keys=True, ensure_ascii=False)


def vector_table(column: str, names: Sequence[str], vectors: np.ndarray) -> "pa.Table":
    """Puts names and their vectors, float32 (len(names), dimension), in a table without copying the vectors."""
    import pyarrow as pa

    numbers = pa.array(vectors.reshape(-1), pa.float32())
    vector = pa.FixedSizeListArray.from_arrays(numbers, vectors.shape[1])
    return pa.table({column: pa.array(names, pa.string()), VECTOR: vector})


def features_table(photos: Sequence[str], vectors: np.ndarray, record: Mapping[str, Any]) -> "pa.Table":
    """Returns photos and vectors as a table: photo (str), vector (fixed_size_list<float32>[dimension]).

    The record lies in the metadata. Every record has the extractor's `kind` and `name`, the `sha256` of its weights or
    vectors, and the `dimension`; that of a detector also has the `classes` that its numbers are the probabilities of.
    """
    return vector_table(PHOTO, photos, vectors).replace_schema_metadata({RECORD: canonical(record)})


def read_record(path: Path) -> dict[str, Any]:
    """Reads the record of the extractor that made the features in a file.

    Raises ArtifactError when the file is missing or damaged, or has no record.
    """
    try:
        return json.loads(read_metadata(path)[RECORD])
    except KeyError:
        raise ArtifactError(f"{path} does not record which extractor made it.") from None
