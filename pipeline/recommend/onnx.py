"""Networks run by ONNX Runtime on the CPU, without torch."""

import hashlib
import json
from pathlib import Path
from typing import Self

import numpy as np
import PIL

from pipeline.errors import ArtifactError, InputError, one_line
from pipeline.features.extraction.device import cores
from pipeline.features.images import described

NOTES = "extractor"
"""The key of a file's metadata: the extractor's record and preprocessing, as JSON."""
PHOTOS, VECTORS = "photos", "vectors"
"""The names of a graph's input and output."""

NO_ONNX = "Exports to ONNX need the package onnx, which is not installed: pip install '.[onnx]'."
"""The sentence for a machine that cannot export."""

OPTIONS = {
    # Threads that wait for work sleep: a service shares its cores, and networks take turns on them.
    "session.intra_op.allow_spinning": "0",
}
"""Settings of ONNX Runtime, by their keys."""


class OnnxNetwork:
    """A `Network` in a file that `pipeline.recommend.export` wrote.

    A photo's vector is that of the extractor within 1e-4. Several threads may compute at once.
    """

    def __init__(self, model: bytes):
        """Loads the bytes of a file. Raises InputError where ONNX Runtime is not installed or refuses them."""
        try:
            import onnxruntime
        except ModuleNotFoundError:
            raise InputError(
                "Networks in ONNX need the package onnxruntime, which is not installed: pip install onnxruntime."
            ) from None
        options = onnxruntime.SessionOptions()
        # As many as this process may use: by itself ONNX Runtime counts the machine's, and binds threads to them.
        options.intra_op_num_threads = cores()
        options.log_severity_level = 3  # Errors only.
        for key, value in OPTIONS.items():
            options.add_session_config_entry(key, value)
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has a class of its own for each fault.
            raise InputError(f"ONNX Runtime does not load the network ({one_line(error)}).") from None
        notes = json.loads(self._session.get_modelmeta().custom_metadata_map[NOTES])
        versions = {"pillow": PIL.__version__, "onnxruntime": onnxruntime.__version__}
        self.record = notes["record"] | {"versions": versions}
        self.preprocess = described(notes["preprocess"])
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
        return self._session.run([VECTORS], {PHOTOS: batch})[0]
