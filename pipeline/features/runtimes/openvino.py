"""Networks run by OpenVINO."""

import io
from queue import SimpleQueue

import numpy as np

from pipeline.features.runtimes.session import Session


class OpenvinoSession(Session):
    """A network run by OpenVINO."""

    runtime, package, extra = "OpenVINO", "openvino", "openvino"

    def _load(self, model: bytes, threads: int, batches: int) -> None:
        import openvino

        core = openvino.Core()
        settings = {
            # By itself it rounds to bfloat16 on processors that have it.
            "INFERENCE_PRECISION_HINT": openvino.Type.f32,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": batches,
            "ENABLE_CPU_PINNING": False,  # A thread that is bound to a core waits for whoever decodes there.
        }
        network = core.compile_model(core.read_model(io.BytesIO(model)), "CPU", settings)
        self._requests = SimpleQueue()
        for _ in range(batches):
            self._requests.put(network.create_infer_request())

    def compute(self, batch: np.ndarray) -> np.ndarray:
        request = self._requests.get()
        try:
            return request.infer([batch], share_inputs=True, share_outputs=False)[0]
        finally:
            self._requests.put(request)
