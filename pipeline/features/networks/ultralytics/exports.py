"""The formats of exported detectors, and the package that runs each."""

from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import InputError, SettingError

EXPORT_PACKAGES = {
    ".onnx": ("onnxruntime", "'.[onnx]'"),
    "_openvino_model": ("openvino", "'.[openvino]'"),
    ".tflite": ("ai_edge_litert", "'.[tflite]'"),
    ".engine": ("tensorrt", "tensorrt"),
    "_ncnn_model": ("ncnn", "ncnn"),
    ".mnn": ("MNN", "MNN"),
}
"""The module that runs an export, and the argument of pip that installs it, by the end of its name."""


def runtime_of(path: Path) -> str:
    """Returns the module that runs an export.

    Raises SettingError for a path where nothing is, and for another format; InputError where it is not installed.
    """
    if not path.exists():
        raise SettingError("detector", f"is {str(path)!r}; there is no such file or folder.")
    suffix = suffix_of(path)
    if suffix is None:
        raise SettingError(
            "detector",
            f"is {str(path)!r}, which ends in none of {', '.join(EXPORT_PACKAGES)}: export the model to ONNX.",
        )
    module, package = EXPORT_PACKAGES[suffix]
    if find_spec(module) is None:
        raise InputError(f"{path} needs the package {module}, which is not installed: pip install {package}.")
    return module


def suffix_of(path: Path) -> str | None:
    """Returns the end of an export's name, which is its format; None for another format."""
    return next((suffix for suffix in EXPORT_PACKAGES if path.name.endswith(suffix)), None)
