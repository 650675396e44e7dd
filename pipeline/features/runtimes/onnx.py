"""Networks run by ONNX Runtime."""

from collections.abc import Mapping

import numpy as np

from pipeline.features.runtimes.session import Session

PHOTOS, VECTORS = "photos", "vectors"
"""The names of a graph's input and output."""

OPTIONS = {
    # Threads that wait for work sleep: others need the cores, those that decode or serve.
    "session.intra_op.allow_spinning": "0",
}
"""Settings of ONNX Runtime, by their keys."""


class OnnxSession(Session):
    """A network run by ONNX Runtime."""

    runtime, package, extra = "ONNX Runtime", "onnxruntime", "onnx"

    def _load(self, model: bytes, threads: int, batches: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # By itself it counts the machine's cores, and binds threads to them. Threads that call it compute, too.
        options.intra_op_num_threads = threads - batches + 1
        options.log_severity_level = 3  # Errors only.
        for key, value in OPTIONS.items():
            options.add_session_config_entry(key, value)
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    @property
    def metadata(self) -> Mapping[str, str]:
        """The texts that the file holds, by their keys."""
        return self._session.get_modelmeta().custom_metadata_map

    def compute(self, batch: np.ndarray) -> np.ndarray:
        return self._session.run([VECTORS], {PHOTOS: batch})[0]
