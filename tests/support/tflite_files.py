"""A small detector, written as a .tflite file, and computed by torch."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder
from torch import Tensor
from torch.nn import functional

from pipeline.features.coco import COCO_CLASSES

PATCH = 8
OUTPUTS = 4 + len(COCO_CLASSES)
TYPES = {np.dtype(name): getattr(schema.TensorType, name.upper()) for name in ("float16", "float32", "int8", "int32")}
KNOWN = {"task": "detect", "names": dict(enumerate(COCO_CLASSES)), "stride": PATCH, "channels": 3}


class PatchDetector:
    """One convolution with random weights: each patch of 8 × 8 pixels is an anchor with a box and 80 probabilities."""

    def __init__(self, size: int, rng: np.random.Generator):
        self.size = size
        self.kernel = rng.normal(0, 0.2, (OUTPUTS, PATCH, PATCH, 3)).astype(np.float32)
        self.bias = rng.normal(0, 1, OUTPUTS).astype(np.float32)

    def expected(self, pixels: np.ndarray) -> np.ndarray:
        """The feature, (B, 80), of pixels in bytes, (B, H, W, 3), by torch."""
        kernel = torch.from_numpy(self.kernel).permute(0, 3, 1, 2)
        maps: Tensor = functional.conv2d(
            torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255, kernel, torch.from_numpy(self.bias), stride=PATCH
        )
        return maps[:, 4:].sigmoid().amax((2, 3)).numpy()

    def save(
        self,
        path: Path,
        batch: int = 1,
        channels_first: bool = True,
        takes: type = np.float32,
        step: float | None = None,
        known: Mapping[str, Any] | None = KNOWN,
    ) -> Path:
        """Writes the file.

        `channels_first` is the order of ultralytics' export, the other that of onnx2tf. `takes` is the type of the
        pixels. With a `step` the outputs are int8, so far apart. `known` is what ultralytics notes in its exports.
        """
        graph, side = _Graph(), self.size // PATCH
        shape = (batch, 3, self.size, self.size) if channels_first else (batch, self.size, self.size, 3)
        last = graph.input = graph.tensor(shape, takes)
        if takes != np.float32:
            last = graph.add("CAST", [last], shape)
        if channels_first:
            last = graph.transposed(last, (0, 2, 3, 1))
        options = schema.Conv2DOptionsT(padding=schema.Padding.VALID, strideW=PATCH, strideH=PATCH)
        weights = [graph.constant(self.kernel), graph.constant(self.bias)]
        last = graph.add("CONV_2D", [last, *weights], (batch, side, side, OUTPUTS), options)
        last = graph.add("LOGISTIC", [last], (batch, side, side, OUTPUTS))
        flat = (batch, side * side, OUTPUTS)
        last = graph.add(
            "RESHAPE", [last, graph.constant(np.array(flat, np.int32))], flat, schema.ReshapeOptionsT(flat)
        )
        last = graph.transposed(last, (0, 2, 1))
        if step:
            last = graph.add("QUANTIZE", [last], (batch, OUTPUTS, side * side), step=step)
        path.write_bytes(graph.packed(last))
        if known is not None:
            noted = {"batch": batch, "imgsz": [self.size, self.size], **known}
            with zipfile.ZipFile(path, "a") as file:
                file.writestr("metadata.json", json.dumps(noted | {"names": str(noted["names"])}))
        return path


class _Graph:
    """A graph of the format's built-in operators, one after the other."""

    def __init__(self):
        self.buffers = [schema.BufferT()]  # The first one is for tensors that are not constants.
        self.tensors: list[schema.TensorT] = []
        self.codes: list[schema.OperatorCodeT] = []
        self.operators: list[schema.OperatorT] = []
        self.input = -1

    def tensor(
        self, shape: tuple[int, ...], kind: type = np.float32, step: float | None = None, buffer: int = 0
    ) -> int:
        scale = schema.QuantizationParametersT(scale=[step], zeroPoint=[-128]) if step else None
        name = f"tensor {len(self.tensors)}"
        self.tensors.append(schema.TensorT(list(shape), TYPES[np.dtype(kind)], buffer, name, quantization=scale))
        return len(self.tensors) - 1

    def constant(self, values: np.ndarray) -> int:
        self.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
        return self.tensor(values.shape, values.dtype, buffer=len(self.buffers) - 1)

    def transposed(self, tensor: int, order: tuple[int, ...]) -> int:
        shape = tuple(self.tensors[tensor].shape[axis] for axis in order)
        return self.add("TRANSPOSE", [tensor, self.constant(np.array(order, np.int32))], shape)

    def add(
        self, name: str, inputs: list[int], shape: tuple[int, ...], options: Any = None, step: float | None = None
    ) -> int:
        """Appends an operator, and gives its output."""
        output = self.tensor(shape, np.int8 if step else np.float32, step)
        kind = getattr(schema.BuiltinOperator, name)
        self.codes.append(schema.OperatorCodeT(min(kind, 127), builtinCode=kind))
        operator = schema.OperatorT(len(self.codes) - 1, inputs, [output])
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.operators.append(operator)
        return output

    def packed(self, output: int) -> bytes:
        graph = schema.SubGraphT(self.tensors, [self.input], [output], self.operators)
        model = schema.ModelT(version=3, operatorCodes=self.codes, subgraphs=[graph], buffers=self.buffers)
        builder = Builder(0)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
