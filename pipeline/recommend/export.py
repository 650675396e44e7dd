"""From an extractor to a file for ONNX Runtime, which computes the same vectors without torch."""

import io
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.errors import InputError, SettingError, one_line
from pipeline.features.extractor import Extractor
from pipeline.features.images import describe
from pipeline.features.record import canonical
from pipeline.files.atomic import atomic
from pipeline.files.seal import sha256
from pipeline.recommend.onnx import NO_ONNX, NOTES, PHOTOS, VECTORS, OnnxNetwork

OPSET = 20
"""The version of ONNX's operators."""
TOLERANCE = 1e-4
"""The most that a number may differ from the extractor's; in proportion to the largest if that is above 1."""


def export(extractor: Extractor, path: Path) -> str:
    """Writes an extractor, on the CPU, as ONNX: the same bytes in every run. Returns the file's SHA-256.

    The graph is all of `Extractor.compute`: photos, uint8 (B, size, size, 3), to vectors, float32 (B, dimension), for
    any B. The extractor's record and preprocessing lie in the file's metadata. Before it is written, its vectors of
    photos alone and together are compared with the extractor's.

    Raises SettingError for a precision other than float32; InputError where the package onnx is not installed, for a
    network that ONNX cannot express, and for one whose vectors differ there.
    """
    name = extractor.record["name"]
    if not extractor.traceable:
        raise InputError(f"{name} is exported already: take the file that it was made from, which torch runs.")
    if extractor.precision is not torch.float32:
        raise SettingError("precision", f"is {extractor.record['precision']}; ONNX Runtime computes in float32 here.")
    onnx = _import_onnx()
    graph = onnx.load_model_from_string(_traced(extractor, name))
    record = extractor.record | {"runtime": "onnxruntime", "opset": OPSET}
    notes = {"record": record, "preprocess": describe(extractor.preprocess)}
    graph.metadata_props.add(key=NOTES, value=canonical(notes))
    model = graph.SerializeToString(deterministic=True)
    _require_same(OnnxNetwork(model), extractor, name)
    with atomic(path) as temporary:
        temporary.write_bytes(model)
    return sha256(path)


def _import_onnx() -> ModuleType:
    """Imports the package onnx. Raises InputError where it is not installed."""
    try:
        import onnx
    except ModuleNotFoundError:
        raise InputError(NO_ONNX) from None
    return onnx


class _Whole(nn.Module):
    """All of `Extractor.compute` as one module, for the tracer."""

    def __init__(self, extractor: Extractor):
        super().__init__()
        self.network, self.extract = extractor.network, extractor.forward

    def forward(self, photos: Tensor) -> Tensor:
        return self.extract(photos.permute(0, 3, 1, 2).float() / 255)  # (B, size, size, 3) to (B, 3, size, size).


def _traced(extractor: Extractor, name: str) -> bytes:
    """Records what a network computes as an ONNX file."""
    file = io.BytesIO()
    photos = torch.zeros(2, extractor.size, extractor.size, 3, dtype=torch.uint8)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # The tracer's doubts, which the comparison settles.
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
            f"{name} cannot be written in ONNX ({one_line(error)[:200]}): choose another network, or leave it to torch."
        ) from error
    return file.getvalue()


def _require_same(network: OnnxNetwork, extractor: Extractor, name: str) -> None:
    """Raises InputError unless a network gives an extractor's vectors, in batches of any size."""
    shape = (3, extractor.size, extractor.size, 3)
    photos = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    expected = extractor.compute(photos)
    largest = TOLERANCE * max(1, np.abs(expected).max())
    for count in (1, len(photos)):
        difference = np.abs(network.compute(photos[:count]) - expected[:count]).max()
        if not difference <= largest:  # Nor if one of them is no number.
            raise InputError(f"{name} gives other vectors in ONNX, by up to {difference:.2g}: leave it to torch.")
