"""The speed of runtimes on a CPU: networks alone, and the extraction stage that each computes for.

    OMP_WAIT_POLICY=PASSIVE python -m benchmarks.runtimes FOLDER [--networks vgg16 yolov8n] [--photos 160]

FOLDER is the one of real photos and weights that REAL_DATA names. VGG16 at 224 pixels has seeded weights, YOLOv8n at
448 real ones. Of each runtime, in turns:

bare     The runtime with its own settings, on one ready batch of the network's input: float32 (16, 3, size, size).
session  The same network as extractors and bundles run it: from uint8 pixels, with our settings.
stage    Extraction with it, from photos in shards to parquet, without import and loading.

Medians of the rounds, by the clock; and the least CPU milliseconds a photo, without those of the processes that decode.
They hold on a busy machine, where the clock does not, with `--only bare session`. The variable makes torch's threads
wait as they do in the stages.
"""

import argparse
import io
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
import openvino
import torch
from torch import Tensor, nn

from benchmarks.extraction import NETWORKS, bare, loaded, pack_real, pixels, stage, timed
from benchmarks.machine import processor
from pipeline.data.packed import PackedPhoto, read_packed
from pipeline.data.shards import list_photos
from pipeline.features.config import BATCH
from pipeline.features.extractor import Extractor
from pipeline.features.runtimes.export import OPSET
from pipeline.features.runtimes.registry import SESSIONS, TORCH

CPU = torch.device("cpu")
KINDS = ("bare", "session", "stage")


def main(folder: Path, networks: list[str], count: int, rounds: int, only: list[str]) -> None:
    """Prints the rates of each network."""
    print(f"{processor()}, {rounds} rounds of {count} photos")
    with tempfile.TemporaryDirectory() as scratch:
        shards = Path(scratch) / "photos"
        pack_real(folder, shards, Path(scratch), count)
        for name in networks:
            compare(name, folder, shards, list_photos(shards)[:count], rounds, only, Path(scratch))


def compare(
    name: str, folder: Path, shards: Path, photos: list[PackedPhoto], rounds: int, only: list[str], scratch: Path
) -> None:
    """Prints the rates of one network."""
    extractors = {}
    for runtime in (TORCH, *SESSIONS):
        start = time.process_time()
        extractors[runtime] = loaded(name, folder, CPU, runtime=runtime)
        print(f"{name}, {runtime}: loaded in {time.process_time() - start:.1f} CPU s")
    torchs = extractors[TORCH]
    ready = pixels(torchs, list(read_packed(photos[:BATCH])), BATCH)
    seen = (ready.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).contiguous().numpy()
    alone = {TORCH: partial(bare, torchs, ready, BATCH), **bare_sessions(torchs, ready)}
    runs: dict[tuple[str, str], Callable[[], object]] = {}
    for runtime, extractor in extractors.items():
        kinds = {
            "bare": partial(repeat, alone[runtime], -(-len(photos) // BATCH)),
            "session": partial(repeat, partial(extractor.compute, seen), -(-len(photos) // BATCH)),
            "stage": partial(stage, extractor, shards, photos, None, scratch),
        }
        runs |= {(kind, runtime): kinds[kind] for kind in only}
        alone[runtime]()  # Warms up.
    found: dict[tuple[str, str], list[tuple[float, float]]] = {run: [] for run in runs}
    for _ in range(rounds):
        for run, work in runs.items():
            found[run].append(timed(work))
    expected = torchs.compute(seen)
    seconds = {run: median(wall for wall, _ in times) for run, times in found.items()}
    fastest = min(value for (kind, _), value in seconds.items() if kind == only[0])
    print(f"{name}, load {os.getloadavg()[0]:.1f}: photos/s (share of the fastest {only[0]}), CPU ms a photo")
    for runtime, extractor in extractors.items():
        rates = [
            f"{kind} {len(photos) / seconds[kind, runtime]:.2f} ({fastest / seconds[kind, runtime]:.3f}), "
            f"{min(cpu for _, cpu in found[kind, runtime]) / len(photos) * 1e3:.1f}"
            for kind in only
        ]
        difference = np.abs(extractor.compute(seen) - expected).max()
        print(f"  {runtime}: {'; '.join(rates)}; largest difference {difference:.1g}", flush=True)


def repeat(work: Callable[[], object], times: int) -> None:
    for _ in range(times):
        work()


class _Ready(nn.Module):
    """An extractor's network, from pixels of 0 to 1, (B, 3, size, size)."""

    def __init__(self, extractor: Extractor):
        super().__init__()
        self.network, self.extract = extractor.network, extractor.forward

    def forward(self, ready: Tensor) -> Tensor:
        return self.extract(ready)


def bare_sessions(extractor: Extractor, ready: Tensor) -> dict[str, Callable[[], object]]:
    """The network in each other runtime with that one's own settings; OpenVINO in float32."""
    file, batch = io.BytesIO(), ready.contiguous().numpy()
    with torch.inference_mode():
        torch.onnx.export(_Ready(extractor).eval(), (ready.contiguous(),), file, dynamo=False, opset_version=OPSET)
    run = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": openvino.Type.f32}
    compiled = core.compile_model(core.read_model(io.BytesIO(file.getvalue())), "CPU", settings)
    name = run.get_inputs()[0].name
    return {"onnx": lambda: run.run(None, {name: batch}), "openvino": lambda: compiled([batch])}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--photos", type=int, default=160, dest="count")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    main(**vars(parser.parse_args()))
