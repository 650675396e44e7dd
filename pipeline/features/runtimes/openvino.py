"""Networks run by OpenVINO."""

import io

import numpy as np

from pipeline.features.runtimes.session import Session


class OpenvinoSession(Session):
    """A network run by OpenVINO. One thread may compute at a time."""

    runtime, package, extra = "OpenVINO", "openvino", "openvino"

    def _load(self, model: bytes, threads: int) -> None:
        import openvino

        core = openvino.Core()
        settings = {
            # By itself it rounds to bfloat16 on processors that have it.
            "INFERENCE_PRECISION_HINT": openvino.Type.f32,
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",  # All threads for one batch.
            "ENABLE_CPU_PINNING": False,  # A thread that is bound to a core waits for whoever decodes there.
        }
        self._network = core.compile_model(core.read_model(io.BytesIO(model)), "CPU", settings)

    def compute(self, batch: np.ndarray) -> np.ndarray:
        return self._network([batch], share_inputs=True, share_outputs=False)[0]
