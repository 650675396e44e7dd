"""From an extractor to a file for ONNX Runtime, which computes the same vectors without torch."""

from pathlib import Path

from pipeline.errors import InputError
from pipeline.features.extraction.device import cores
from pipeline.features.extractor import Extractor
from pipeline.features.images import preprocess_spec
from pipeline.features.record import canonical
from pipeline.features.runtimes.export import OPSET, export, require_same
from pipeline.features.runtimes.onnx import OnnxSession
from pipeline.files.atomic import atomic
from pipeline.files.seal import sha256
from pipeline.recommend.onnx import NOTES


def write_onnx(extractor: Extractor, path: Path) -> str:
    """Writes an extractor, on the CPU, as ONNX: the same bytes in every run. Returns the file's SHA-256.

    The extractor's record and preprocessing lie in the file's metadata. Before it is written, its vectors of photos
    alone and together are compared with the extractor's.

    Raises SettingError for a precision other than float32; InputError where the packages of ONNX are not installed, for
    a network that ONNX cannot express, and for one whose vectors differ there.
    """
    if not extractor.traceable:
        name = extractor.record["name"]
        raise InputError(f"{name} is exported already: take the file that it was made from, which torch runs.")
    OnnxSession.require("onnx")
    import onnx

    graph = onnx.load_model_from_string(export(extractor))
    record = extractor.record | {"runtime": "onnx", "opset": OPSET}
    notes = {"record": record, "preprocess": preprocess_spec(extractor.preprocess)}
    graph.metadata_props.add(key=NOTES, value=canonical(notes))
    model = graph.SerializeToString(deterministic=True)
    require_same(OnnxSession(model, cores()), extractor)
    with atomic(path) as temporary:
        temporary.write_bytes(model)
    return sha256(path)
