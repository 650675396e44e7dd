"""Object features from a detector in another format than ultralytics' own .pt: ONNX, OpenVINO, LiteRT, TensorRT, …

The feature is the same as the .pt file's, to 1e-4 where the export computes in float32 (tests/vision/test_exported.py);
float16 and int8 move it further (benchmarks/exports.py says how far). A model with two heads (YOLOv10, YOLO26) is the
exception: its .pt file gives the scores of the head that needs no suppression of boxes, an export those of the other.
What only gives the best candidates of all classes together is refused: most classes would be zero.

ultralytics' AutoBackend runs the model. None of the formats below runs code of the file: TensorRT leaves out what host
code an engine holds unless it is told otherwise, and says itself that an engine should be trusted, for which the hash
stands. TorchScript and TensorFlow's graphs are programs that can read and write files: they are refused, and so are
the formats that are for one maker's devices alone.
"""

import logging
import shutil
from collections.abc import Mapping
from functools import partial
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import InputError, one_line
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.config import ObjectFeaturesConfig
from pipeline.features.extractor import fitting
from pipeline.features.networks.ultralytics.detector import Detector, calm_ultralytics, require_coco

if TYPE_CHECKING:
    from ultralytics.nn.autobackend import AutoBackend

log = logging.getLogger(__name__)

RUNTIMES = {
    ".onnx": ("onnxruntime", "'.[onnx]'"),
    "_openvino_model": ("openvino", "'.[openvino]'"),
    ".tflite": ("ai_edge_litert", "'.[tflite]'"),
    ".engine": ("tensorrt", "tensorrt"),
    "_ncnn_model": ("ncnn", "ncnn"),
    ".mnn": ("MNN", "MNN"),
}
"""How a file's or folder's name ends: the module that runs it, and what pip installs it by."""

COARSEST = 0.01
"""The widest steps in which a model may tell probabilities as integers; int8 from 0 to 1 has 1/255."""


class Exported(Detector):
    """An exported detection model: 80 numbers a photo, for each class the highest probability of all anchors."""

    network: "AutoBackend"
    reentrant = False

    def __init__(self, network: "AutoBackend", size: int, device: torch.device, record: Mapping[str, Any], module: str):
        runtime = packages_distributions()[module][0]  # Such as onnxruntime-gpu, which gives the module onnxruntime.
        self.packages = ("torch", "ultralytics", runtime)
        self.name = record["name"]
        super().__init__(network, size, device, record)

    def forward(self, pixels: Tensor) -> Tensor:
        # Runtimes read the memory as it lies, and not channels last. AutoBackend splits what is more than the batch
        # that an export was made for.
        found = self.network(pixels.float().contiguous())
        shape = tuple(found.shape) if isinstance(found, Tensor) else "several arrays"
        # The best 84 candidates of all classes together, six numbers each, would be (B, 84, 6).
        if len(shape) != 3 or shape[1] != 4 + len(COCO_CLASSES) or shape[2] <= 6:
            raise InputError(
                f"{self.name} does not give a box and 80 probabilities for each anchor, but {shape}: "
                "perhaps the best candidates of all classes together. Export it with nms=None, or use the .pt file."
            )
        return found[:, 4:].float().amax(2)


def load_exported(path: Path, sha256: str, config: ObjectFeaturesConfig, device: torch.device) -> Exported:
    """The extractor of an exported detector whose hash has been checked.

    A TensorRT engine runs on the GPU, all others on the CPU; where another `device` is asked for, that is logged. The
    record has the device that it is. Raises InputError for a format that does not come into question or whose runtime
    is not installed, for what is no model of its format or no detector of COCO's 80 classes, for an output of best
    candidates only, and for a size that the export was not made for.
    """
    module, size = _runtime(path, config), config.input_size
    where = _place(module, device)
    try:
        network = _open(path, where)
    except Exception as error:  # Each runtime raises errors of its own kind for a broken file.
        raise InputError(f"{path} is not a model that {module} loads ({one_line(error)}).") from error
    if network.task is None:
        raise InputError(f"{path} does not note its task and classes, as ultralytics' exports do: export it with that.")
    if network.task != "detect":
        raise InputError(f"{path} is a model for the task {network.task!r}: choose one for detection.")
    require_coco(network.names, path)
    if network.format == "litert":
        _check_numbers(network, path)
    height, width = getattr(network, "imgsz", (size, size))
    if not network.dynamic and (height, width) != (size, size):
        raise InputError(
            f"objects.input_size is {size}; {path} was exported for {width} × {height} pixels: set it so, or export "
            f"with imgsz={size} or dynamic=True."
        )
    record = {"name": path.name, "weights": "file", "sha256": sha256}
    with fitting("objects", path.name, size, refusals=(Exception,)):  # As above.
        return Exported(network, size, where, record, module)


def _runtime(path: Path, config: ObjectFeaturesConfig) -> str:
    """The module that runs a format, installed."""
    suffix = next((suffix for suffix in RUNTIMES if path.name.endswith(suffix)), None)
    if suffix is None:
        raise InputError(
            f"objects.detector is {path}, which is none of .pt, {', '.join(RUNTIMES)}: export the model to ONNX."
        )
    if config.precision != "float32":
        raise InputError(
            f"objects.precision is {config.precision}, and {path} computes in what it was exported for: set float32."
        )
    module, package = RUNTIMES[suffix]
    if find_spec(module) is None:
        raise InputError(f"{path} needs the package {module}, which is not installed: pip install {package}.")
    return module


def _place(module: str, device: torch.device) -> torch.device:
    """Where a runtime computes."""
    if module == "tensorrt" and device.type != "cuda":
        raise InputError(f"A TensorRT engine runs on an Nvidia GPU, and the device is {device.type}: export to ONNX.")
    if module == "tensorrt":
        return device
    # ONNX Runtime could, but ultralytics falls back to the CPU without a word where its libraries of CUDA do not load.
    if device.type != "cpu":
        log.warning("%s does not compute on %s here: the detector runs on the CPU.", module, device.type)
    return torch.device("cpu")


def _open(path: Path, device: torch.device) -> "AutoBackend":
    """The network, of a copy that lies alone: what the hash does not cover, as ONNX's external data, is not read."""
    calm_ultralytics()
    from ultralytics.nn.autobackend import AutoBackend

    folder = TemporaryDirectory(prefix="detector-")
    alone = Path(folder.name) / path.name
    (shutil.copytree if path.is_dir() else shutil.copyfile)(path, alone)
    network = AutoBackend(str(alone), device=device, verbose=False)
    network.folder = folder  # It goes with the network: some runtimes read on as they compute.
    if network.format == "openvino":
        _compute_in_float32(network, alone)
    return network


def _compute_in_float32(network: "AutoBackend", folder: Path) -> None:
    """OpenVINO rounds to bfloat16 on processors that have it, whatever the model's precision: not here."""
    import openvino

    backend = network.backend
    settings = {**backend.compile_model.keywords["config"], "INFERENCE_PRECISION_HINT": openvino.Type.f32}
    backend.compile_model = partial(backend.compile_model, device_name="CPU", config=settings)
    backend.ov_compiled_model = backend.compile_model(openvino.Core().read_model(next(folder.glob("*.xml"))))


def _check_numbers(network: "AutoBackend", path: Path) -> None:
    """AutoBackend converts int8 and int16 for LiteRT; in steps that boxes in pixels need, probabilities are zero."""
    taken, given = network.input_details[0], network.output_details[0]
    known = (np.float32, np.int8, np.int16)
    if taken["dtype"] not in known:
        raise InputError(f"{path} takes pixels as {np.dtype(taken['dtype'])}: export it with float32 for inputs.")
    step = given["quantization"][0]  # 0 for float32.
    if given["dtype"] not in known or step > COARSEST:
        raise InputError(
            f"{path} gives {np.dtype(given['dtype'])} in steps of {step:.2g}, which tells no probabilities: "
            "export it with float32 for outputs."
        )
