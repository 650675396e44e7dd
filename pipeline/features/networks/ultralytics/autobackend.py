"""Object features from a detector in another format than ultralytics' own .pt: ONNX, OpenVINO, LiteRT, TensorRT, …

The feature is the same as the .pt file's, to 1e-4 where the export computes in float32
(tests/features/networks/test_autobackend.py); float16 and int8 move it further (benchmarks/exports.py measures it). A
model with two heads (YOLOv10, YOLO26) is the exception: its .pt file gives the scores of the head that needs no
suppression of boxes, an export those of the other. An export that only gives the best candidates of all classes
together is refused: most classes would be zero.

ultralytics' AutoBackend runs the model. None of the formats below runs code of the file: TensorRT leaves out host code
in an engine unless it is allowed, and recommends to use trusted engines only, for which the hash stands. TorchScript
and TensorFlow's graphs are programs that can read and write files: they are refused, and so are the formats for
one manufacturer's devices.
"""

import logging
import shutil
from collections.abc import Mapping
from functools import partial
from importlib.metadata import packages_distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import InputError, ResourceError, SettingError
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.extractor import fitted_to
from pipeline.features.hashes import checked_sha256
from pipeline.features.networks.ultralytics.detector import UltralyticsDetector, require_coco
from pipeline.features.networks.ultralytics.exports import runtime_of, suffix_of
from pipeline.features.networks.ultralytics.library import import_ultralytics

if TYPE_CHECKING:
    from ultralytics.nn.autobackend import AutoBackend

    from pipeline.features.networks.ultralytics.config import UltralyticsExportConfig

log = logging.getLogger(__name__)

COARSEST = 0.01
"""The widest steps between probabilities that a model gives as integers; int8 from 0 to 1 has 1/255."""


class ExportedDetector(UltralyticsDetector):
    """An exported detection model: 80 numbers a photo, for each class the highest probability of all anchors."""

    network: "AutoBackend"
    traceable = False
    reentrant = False

    def __init__(self, network: "AutoBackend", size: int, device: torch.device, record: Mapping[str, Any], module: str):
        runtime = packages_distributions()[module][0]  # Such as onnxruntime-gpu, which gives the module onnxruntime.
        self.packages = ("torch", "ultralytics", runtime)
        self.name = record["name"]
        super().__init__(network, size, device, record)

    def forward(self, pixels: Tensor) -> Tensor:
        # Runtimes read the memory in its order, and not channels last. AutoBackend splits a batch that is larger than
        # the one that an export was made for.
        found = self.network(pixels.float().contiguous())
        shape = tuple(found.shape) if isinstance(found, Tensor) else "several arrays"
        # The best 84 candidates of all classes together, six numbers each, would be (B, 84, 6).
        if len(shape) != 3 or shape[1] != 4 + len(COCO_CLASSES) or shape[2] <= 6:
            raise InputError(
                f"{self.name} does not give a box and 80 probabilities for each anchor, but {shape}: "
                "perhaps the best candidates of all classes together. Export it with nms=None, or use the .pt file."
            )
        return found[:, 4:].float().amax(2)


def load_export(config: "UltralyticsExportConfig", device: torch.device) -> ExportedDetector:
    """Loads the extractor of an exported detector.

    A TensorRT engine runs on the GPU, all others on the CPU; where another `device` is asked for, that is logged. The
    record names the actual device. Raises SettingError for a format that is not supported, an export that is absent
    or does not have its hash, and a size that it was not made for; ResourceError for an engine without a GPU; and
    InputError where the runtime is not installed, for a file that is not a model of its format or not a detector of
    COCO's 80 classes, and for an output of best candidates only.
    """
    path, size = Path(config.detector), config.input_size
    module = runtime_of(path)
    sha256 = checked_sha256(path, config.sha256)
    where = _device_of(module, device)
    try:
        network = _open(path, where)
    except Exception as error:  # Each runtime raises errors of its own kind for a broken file.
        raise InputError(
            f"{path} is not a model that {module} loads: it is cut short, or of another format. Export it again."
        ) from error
    if network.task is None:
        raise InputError(
            f"{path} does not note its task and classes, as ultralytics' exports do: export it with ultralytics."
        )
    if network.task != "detect":
        raise InputError(f"{path} is a model for the task {network.task!r}: choose one for detection.")
    require_coco(network.names, path)
    if network.format == "litert":
        _check_numbers(network, path)
    height, width = getattr(network, "imgsz", (size, size))
    if not network.dynamic and (height, width) != (size, size):
        raise SettingError(
            "input_size",
            f"is {size}; {path} was exported for {width} × {height} pixels: set it so, or export with imgsz={size} or "
            "dynamic=True.",
        )
    record = {"kind": config.kind, "name": path.name, "weights": "file", "sha256": sha256}
    with fitted_to(size, path.name, usual=448, refusals=(Exception,)):  # As above.
        return ExportedDetector(network, size, where, record, module)


def copy_export(path: Path, to: Path) -> Path:
    """Copies an export, a file or a folder, to `to` with its suffix."""
    runtime_of(path)
    to.parent.mkdir(parents=True, exist_ok=True)
    return Path(
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, to.with_name(f"{to.name}{suffix_of(path)}"))
    )


def _device_of(module: str, device: torch.device) -> torch.device:
    """Returns the device that a runtime computes on."""
    if module == "tensorrt" and device.type != "cuda":
        raise ResourceError(
            f"A TensorRT engine runs on an Nvidia GPU, and the device is {device.type}: export the model to ONNX.",
            "device",
        )
    if module == "tensorrt":
        return device
    # ONNX Runtime could, but ultralytics silently falls back to the CPU where its CUDA libraries do not load.
    if device.type != "cpu":
        log.warning("%s does not compute on %s here: the detector runs on the CPU.", module, device.type)
    return torch.device("cpu")


def _open(path: Path, device: torch.device) -> "AutoBackend":
    """Opens the network of a copy that lies alone, under a name that means nothing to ultralytics.

    So data outside the hash, such as ONNX's external data, is not read, and no other file is taken for it.
    """
    autobackend = import_ultralytics("ultralytics.nn.autobackend")
    folder = TemporaryDirectory(prefix="detector-")
    alone = Path(folder.name) / f"detector{suffix_of(path)}"
    (shutil.copytree if path.is_dir() else shutil.copyfile)(path, alone)
    network = autobackend.AutoBackend(str(alone), device=device, verbose=False)
    network.folder = folder  # It goes with the network: some runtimes read on as they compute.
    if network.format == "openvino":
        _compute_in_float32(network, alone)
    return network


def _compute_in_float32(network: "AutoBackend", folder: Path) -> None:
    """Makes OpenVINO compute in float32: it would round to bfloat16 on processors that have it, whatever the model."""
    import openvino

    backend = network.backend
    settings = {**backend.compile_model.keywords["config"], "INFERENCE_PRECISION_HINT": openvino.Type.f32}
    backend.compile_model = partial(backend.compile_model, device_name="CPU", config=settings)
    backend.ov_compiled_model = backend.compile_model(openvino.Core().read_model(next(folder.glob("*.xml"))))


def _check_numbers(network: "AutoBackend", path: Path) -> None:
    """Refuses a LiteRT model whose numbers hold no probabilities.

    AutoBackend converts int8 and int16; in the steps that boxes in pixels need, probabilities are zero.
    """
    taken, given = network.input_details[0], network.output_details[0]
    known = (np.float32, np.int8, np.int16)
    if taken["dtype"] not in known:
        raise InputError(f"{path} takes pixels as {np.dtype(taken['dtype'])}: export it with float32 for inputs.")
    step = given["quantization"][0]  # 0 for float32.
    if given["dtype"] not in known or step > COARSEST:
        raise InputError(
            f"{path} gives {np.dtype(given['dtype'])} in steps of {step:.2g}, which are too coarse for probabilities: "
            "export it with float32 for outputs."
        )
