"""Networks in files, run by ONNX Runtime on the CPU, without torch."""

import hashlib
import json
from pathlib import Path
from typing import Self

import numpy as np
import PIL

from pipeline.errors import ArtifactError
from pipeline.features.extraction.device import cores
from pipeline.features.images import preprocess_from
from pipeline.features.runtimes.onnx import OnnxSession

NOTES = "extractor"
"""The key of a file's metadata: the extractor's record and preprocessing, as JSON."""


class OnnxNetwork:
    """A `Network` in a file that `pipeline.recommend.export` wrote.

    A photo's vector is that of the extractor within 1e-4. Several threads may compute at once.
    """

    def __init__(self, model: bytes):
        """Loads the bytes of a file. Raises InputError where ONNX Runtime is not installed or refuses them."""
        self._session = OnnxSession(model, cores())
        notes = json.loads(self._session.metadata[NOTES])
        self.record = notes["record"] | {"versions": {"pillow": PIL.__version__} | self._session.versions()}
        self.preprocess = preprocess_from(notes["preprocess"])
        # uint8 (B, size, size, 3) to float32 (B, dimension).
        self.size, self.dimension = self.record["size"], self.record["dimension"]

    @classmethod
    def load(cls, path: Path, sha256: str) -> Self:
        """Loads a file that must have a SHA-256, in hexadecimal.

        What was hashed is what runs: the file is read once. Raises ArtifactError for a file that is missing or has
        another hash, and what loading raises.
        """
        try:
            model = path.read_bytes()
        except FileNotFoundError:
            raise ArtifactError(f"{path} does not exist.") from None
        found = hashlib.sha256(model).hexdigest()
        if found != sha256:
            raise ArtifactError(
                f"{path} is another file than the one expected, or a broken one: its SHA-256 is {found}."
            )
        return cls(model)

    def compute(self, batch: np.ndarray) -> np.ndarray:
        """Returns the vectors, float32 (B, dimension), of preprocessed photos, uint8 (B, size, size, 3)."""
        return self._session.compute(batch)
