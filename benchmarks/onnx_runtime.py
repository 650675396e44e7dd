"""The rate of an exported network, compared with bare ONNX Runtime and with torch, in turns on the same pixels.

    python -m benchmarks.onnx_runtime [--backbone vgg16] [--size 224] [--rounds 7] [--one-core]

Bare is ONNX Runtime with its own settings on the network alone: float32 (B, 3, size, size), scaled and normalised
beforehand. The ratio is that of the same turn, so that what else the machine does slows both. On a busy machine that is
not enough: with --one-core each has one thread, and the seconds are those that the processor spends on it.
"""

import argparse
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from pipeline.features.config import BATCH
from pipeline.features.networks.torchvision.backbone import TorchvisionBackbone
from pipeline.features.networks.torchvision.config import TorchvisionConfig
from pipeline.recommend.export import write_onnx
from pipeline.recommend.onnx import OnnxNetwork


class Pooled(nn.Module):
    """A backbone and the mean over its last map, without anything before."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.network(pixels).mean((2, 3))


def bare(extractor: TorchvisionBackbone, folder: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """The network alone, run by ONNX Runtime with its own settings; 0 threads are as many as it takes."""
    path, pixels = folder / "bare.onnx", torch.zeros(2, 3, extractor.size, extractor.size)
    axes = {"pixels": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Pooled(extractor.network), (pixels,), path, dynamo=False, input_names=["pixels"], dynamic_axes=axes
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda pixels: session.run(None, {"pixels": pixels})[0]


def main(backbone: str, size: int, rounds: int, one_core: bool) -> None:
    """Prints the rates for a full batch and for one photo."""
    name, clock = processor(), time.process_time if one_core else time.perf_counter
    if one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        torch.set_num_threads(1)
    config = TorchvisionConfig(
        kind="torchvision",
        backbone=backbone,
        input_size=size,
        precision="float32",
        runtime="torch",
        weights={"kind": "seeded"},
    )
    extractor = config.load(0, torch.device("cpu"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        network = OnnxNetwork.load(folder / "network.onnx", write_onnx(extractor, folder / "network.onnx"))
        alone = bare(extractor, folder, threads=int(one_core))
        runs = {"bare ONNX Runtime": alone, "exported": network.compute, "torch": extractor.compute}
    print(f"{backbone}, {size} px, {rounds} turns, on {'one of ' if one_core else ''}{name}")
    for count in (BATCH, 1):
        photos = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
        scaled = torch.from_numpy(photos).permute(0, 3, 1, 2).float() / 255
        normalised = ((scaled - extractor.mean) / extractor.deviation).contiguous().numpy()
        seconds: dict[str, list[float]] = {run: [] for run in runs}
        for number in range(rounds + 1):
            for run, compute in runs.items():
                start = clock()
                compute(normalised if run == "bare ONNX Runtime" else photos)
                if number:  # The first warms up.
                    seconds[run].append(clock() - start)
        for run, times in seconds.items():
            ratios = [first / own for first, own in zip(seconds["bare ONNX Runtime"], times, strict=True)]
            print(
                f"{count:3} at once, {run}: {count / statistics.median(times):.2f} photos/s, "
                f"{statistics.median(ratios):.3f} of bare ({min(ratios):.3f} to {max(ratios):.3f})"
            )


def processor() -> str:
    """The processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "an unknown processor")
    return f"{sum(line.startswith('processor') for line in lines)} cores of {model}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="vgg16")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--one-core", action="store_true")
    main(**vars(parser.parse_args()))
