"""The record of an extractor, which travels with the features that it made."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import InputError

RECORD = b"extractor"
"""The key of the parquet schema's metadata under which it lies, as JSON."""


def read_record(path: Path) -> dict[str, Any]:
    """What made the features in a file: network, weights, input, device, versions.

    Raises InputError when there is no such file, or no record in it.
    """
    try:
        return json.loads((pq.read_schema(path).metadata or {})[RECORD])
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: run the stage that writes it, or `dvc repro`.") from None
    except (KeyError, pa.ArrowInvalid):
        raise InputError(f"{path} does not say which extractor made it: extract the features again.") from None
