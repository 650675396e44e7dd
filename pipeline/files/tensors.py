"""Named arrays and notes as safetensors, reproducible to the byte."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from pipeline.errors import ArtifactError, InputError, one_line
from pipeline.files.atomic import atomic
from pipeline.files.seal import SEAL, UNSEALED, check_seal, seal

NOTES = "notes"
"""The name of the array that holds the notes of a file of arrays."""


def write_tensors(tensors: Mapping[str, np.ndarray], notes: Any, path: Path) -> None:
    """Writes named arrays, and notes that JSON can hold, as safetensors, sealed. No array may be called `NOTES`.

    The notes are an array of bytes: safetensors' metadata has room for no more than 100 MB.
    """
    text = json.dumps(notes, ensure_ascii=False).encode()
    data = save({**tensors, NOTES: np.frombuffer(text, np.uint8)}, {SEAL: UNSEALED})
    with atomic(path) as temporary:
        temporary.write_bytes(data)
        seal(temporary)


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], Any]:
    """Reads the arrays and notes of a file. Raises ArtifactError when it is missing, and DamagedError when damaged."""
    try:
        check_seal(path)
        tensors = load_file(path)
        return tensors, json.loads(tensors.pop(NOTES).tobytes())
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist.") from None
    except (SafetensorError, KeyError, RecursionError, ValueError) as error:  # A sealed file of another kind.
        raise ArtifactError(f"{path} does not hold arrays and notes ({one_line(error)}).") from None


def write_safetensors(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str], path: Path) -> None:
    """Writes named arrays and texts for other programs, unsealed.

    Only a single text keeps the bytes reproducible: the order of several is random. Raises OSError when the system
    refuses (a full disk), InputError when safetensors does (more text than it holds).
    """
    try:
        data = save(dict(tensors), dict(metadata))
    except SafetensorError as error:
        raise InputError(f"{path} cannot be written: {error}.") from None
    with atomic(path) as temporary:
        temporary.write_bytes(data)
