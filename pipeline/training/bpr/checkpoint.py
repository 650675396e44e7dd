"""What a killed training is taken up from again."""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from pipeline.files import write_safetensors

logger = logging.getLogger(__name__)


@dataclass
class Checkpoint:
    """A file that holds training as it was after some epoch, written at most every `seconds`.

    It belongs to the run with the same `key` (of its inputs, settings and code) and to no other.
    """

    path: Path
    seconds: float = 20.0
    _saved: float = field(default_factory=time.monotonic)

    def load(self, key: str) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """The arrays and notes of the last save, None where there is none of this run. A broken file is said aloud."""
        try:
            with safe_open(self.path, "numpy") as file:
                notes = json.loads(file.metadata()["training"])
                if notes["key"] != key:
                    return None
                return {name: file.get_tensor(name) for name in file.keys()}, notes  # noqa: SIM118 (it is no dict)
        except FileNotFoundError:
            return None
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            logger.warning("%s is no checkpoint (%s): training starts anew.", self.path, error)
            return None

    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self.seconds

    def save(self, key: str, arrays: Mapping[str, np.ndarray], notes: Mapping[str, Any]) -> None:
        """Writes the state of training in place of the last one."""
        write_safetensors(arrays, {"training": json.dumps({"key": key} | dict(notes))}, self.path)
        self._saved = time.monotonic()
