"""From an extractor to ONNX, which other runtimes compute."""

import io
import warnings

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.errors import InputError, SettingError, one_line
from pipeline.features.extractor import Extractor
from pipeline.features.runtimes.onnx import PHOTOS, VECTORS
from pipeline.features.runtimes.session import Session

OPSET = 20
"""The version of ONNX's operators."""
TOLERANCE = 1e-4
"""The most that a number may differ from the extractor's; in proportion to the largest if that is above 1."""


def export(extractor: Extractor) -> bytes:
    """Writes an extractor, on the CPU, as an ONNX file.

    The graph is all of `Extractor.compute`: photos, uint8 (B, size, size, 3), to vectors, float32 (B, dimension), for
    any B.

    Raises SettingError for a precision other than float32, and InputError for a network that ONNX cannot express.
    """
    name, precision = extractor.record["name"], extractor.record["precision"]
    if extractor.precision is not torch.float32:
        raise SettingError("precision", f"is {precision}; exported networks compute in float32.")
    file = io.BytesIO()
    photos = torch.zeros(2, extractor.size, extractor.size, 3, dtype=torch.uint8)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # The tracer's doubts, which `require_same` settles.
            torch.onnx.export(
                _Whole(extractor).eval(),
                (photos,),
                file,
                dynamo=False,  # The other exporter needs further packages, and its files name this machine's paths.
                opset_version=OPSET,
                input_names=[PHOTOS],
                output_names=[VECTORS],
                dynamic_axes={PHOTOS: {0: "batch"}, VECTORS: {0: "batch"}},
            )
    except (RuntimeError, ValueError, TypeError) as error:
        raise InputError(
            f"{name} cannot be written in ONNX ({one_line(error)[:200]}): choose another network, or torch."
        ) from error
    return file.getvalue()


class _Whole(nn.Module):
    """All of `Extractor.compute` as one module, for the tracer."""

    def __init__(self, extractor: Extractor):
        super().__init__()
        self.network, self.extract = extractor.network, extractor.forward

    def forward(self, photos: Tensor) -> Tensor:
        return self.extract(photos.permute(0, 3, 1, 2).float() / 255)  # (B, size, size, 3) to (B, 3, size, size).


def require_same(session: Session, extractor: Extractor) -> None:
    """Raises InputError unless a session gives an extractor's vectors, of photos alone and together."""
    photos = np.random.default_rng(0).integers(0, 256, (3, extractor.size, extractor.size, 3), np.uint8)
    expected = extractor.compute(photos)
    largest = TOLERANCE * max(1, np.abs(expected).max())
    for count in (1, len(photos)):
        difference = np.abs(session.compute(photos[:count]) - expected[:count]).max()
        if not difference <= largest:  # Nor if one of them is not a number.
            raise InputError(
                f"{extractor.record['name']} gives other vectors in {session.runtime}, by up to {difference:.2g}: "
                "choose torch."
            )
