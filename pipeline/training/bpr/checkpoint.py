"""Checkpoints, from which a killed training resumes."""

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import ArtifactError
from pipeline.files.tensors import read_tensors, write_tensors
from pipeline.models import factorisation, history, own_posts

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

LIBRARIES = ("torch", "numpy", "numba", "polars")
"""The packages whose version may show in the last digits."""


@dataclass
class Checkpoint:
    """A file with the state of training after an epoch, for the run with the same key alone."""

    path: Path
    """The file."""
    seconds: float = 20.0
    """The least time between two saves."""
    _saved: float = field(default_factory=time.monotonic)

    def load(self, key: str) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Reads the arrays and notes of this run's last save, None where there is none; deletes a damaged file."""
        if not self.path.exists():
            return None
        try:
            arrays, notes = read_tensors(self.path)
        except ArtifactError as error:
            logger.warning("%s It is deleted, and training begins again.", error)
            self.path.unlink()
            return None
        return (arrays, notes) if notes["key"] == key else None

    def due(self) -> bool:
        """Returns whether it is time to save."""
        return time.monotonic() - self._saved >= self.seconds

    def save(self, key: str, arrays: Mapping[str, np.ndarray], notes: Mapping[str, Any]) -> None:
        """Writes the state of training in place of the last one. Raises OSError when the system refuses."""
        write_tensors(arrays, {"key": key} | dict(notes), self.path)
        self._saved = time.monotonic()


def fingerprint(inputs: Iterable[object], tensors: "Iterable[Tensor]") -> str:
    """Makes a checkpoint's key of all that decides a training: its inputs, its data, its code, its libraries."""
    digest = hashlib.sha256()
    for part in (*inputs, *map(version, LIBRARIES)):
        digest.update(repr(part).encode())
    models = (Path(module.__file__) for module in (factorisation, history, own_posts))
    for file in (*sorted(Path(__file__).parent.rglob("*.py")), *models):
        digest.update(file.read_bytes())
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().numpy())
    return digest.hexdigest()
