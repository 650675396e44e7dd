"""The runtimes that compute in place of torch. A new one is a file and a line here."""

import logging
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pipeline.errors import SettingError
from pipeline.features.config import Load, Precision
from pipeline.features.runtimes.onnx import OnnxSession
from pipeline.features.runtimes.openvino import OpenvinoSession
from pipeline.features.runtimes.session import Session

if TYPE_CHECKING:
    import torch

    from pipeline.features.extractor import Extractor

log = logging.getLogger(__name__)

EXPORTER = "onnx"
"""The package that torch exports networks with."""
TORCH = "torch"
"""torch itself, which needs no session."""
SESSIONS: Mapping[str, type[Session]] = {"onnx": OnnxSession, "openvino": OpenvinoSession}
"""The session of each other runtime, by its name in a configuration."""

Runtime = Annotated[
    Literal[TORCH, *SESSIONS],
    Field(description="The software that computes: torch; or ONNX Runtime or OpenVINO, which are faster on a CPU."),
]


def check_runtime(runtime: str, precision: Precision) -> None:
    """Raises InputError for a runtime that is not installed, SettingError for a precision that it does not have."""
    if runtime == TORCH:
        return
    session = SESSIONS[runtime]
    session.require(EXPORTER, session.package)
    if precision == "float16":
        raise SettingError("precision", f"is float16; {session.runtime} computes in float32: choose that, or torch.")


def load_with(runtime: str, load: Load, device: "torch.device") -> "Extractor":
    """Loads an extractor's network with torch, and has a runtime compute the vectors, within 1e-4 of torch's.

    Runtimes other than torch compute on the CPU: where another device is asked for, that is logged.

    Raises what loading raises, InputError where the runtime is not installed, for a network that it cannot compute and
    for one whose vectors differ there, and SettingError for a precision other than float32.
    """
    if runtime == TORCH:
        return load(device)
    import torch

    from pipeline.features.runtimes.export import OPSET, export, require_same

    session = SESSIONS[runtime]
    session.require(EXPORTER, session.package)
    extractor = load(torch.device("cpu"))
    exported = session(export(extractor), extractor.threads)
    require_same(exported, extractor)
    if device.type != "cpu":
        name = extractor.record["name"]
        log.warning("%s does not compute on %s here: %s runs on the CPU.", session.runtime, device.type, name)
    versions = extractor.record["versions"] | session.versions() | {EXPORTER: version(EXPORTER)}
    extractor.compute_with(exported, {"runtime": runtime, "opset": OPSET, "versions": versions})
    return extractor
