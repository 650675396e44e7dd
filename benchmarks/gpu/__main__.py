"""Speed on a machine with a GPU: networks, decoders, extraction and training, each next to its bar.

    python -m benchmarks.gpu [--results FILE] [--real FOLDER] [--only vgg16 epochs …] [--size tiny --device cpu]

tests      The tests that need a GPU.
decoding   Photos a second that each decoder decodes and scales, without a network.
vgg16      The bare network on one ready batch in each precision, and the least cosine of its vectors to the CPU's in
           float32; the whole extraction, from shards to parquet, with each decoder.
yolov8n    The same for the detector.
profile    Where the main thread's time goes in an extraction.
epochs     Quadruples a second of epochs in batches of 1,024 and more posts.
losses     The same for the losses over all tags and for a history, with CUDA graphs and without.
launches   Launches of an epoch, and the time in which the GPU is busy, with CUDA graphs and without.
trials     Epochs of nine trials at once.
tune       Seconds in which eight models are each tuned over nine settings.

Each part is written to --results as soon as it is done, and a rerun continues with the next; the file of another
machine, size or version of torch is begun anew. Photos are made up, and the detector is untrained: FOLDER, which
REAL_DATA names elsewhere, has real ones. Nothing is downloaded, and no more packages are needed than the stages import.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.gpu.bench import ROOT, SIZES, Bench, Row
from benchmarks.gpu.networks import backbone, decoders, detector, profile
from benchmarks.gpu.training import epochs, launches, losses, trials, tuning
from benchmarks.machine import processor
from pipeline.features.extraction.device import cores
from pipeline.files.texts import write_json


def gpu_tests(bench: Bench) -> list[Row]:
    """Runs the tests that need a GPU: only files with such tests, as others may lack packages."""
    files = [file for file in (ROOT / "tests").rglob("test_*.py") if "pytest.mark.gpu" in file.read_text("utf-8")]
    if bench.device.type != "cuda":
        return [Row(f"gpu tests of {len(files)} files", "none without a GPU", "all pass")]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    failures = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR", "SKIPPED"))]
    last = (done.stdout.strip().splitlines() or [done.stderr[-200:]])[-1]
    return [Row("gpu tests", last, "all pass"), *(Row("", line[:160]) for line in failures)]


PARTS: dict[str, Callable[[Bench], list[Row]]] = {
    "tests": gpu_tests,
    "decoding": decoders,
    "vgg16": backbone,
    "yolov8n": detector,
    "profile": profile,
    "epochs": epochs,
    "losses": losses,
    "launches": launches,
    "trials": trials,
    "tune": tuning,
}


def main(bench: Bench, results: Path, only: Sequence[str], size: str) -> int:
    """Runs the parts that are not done, and prints all that is; returns how many failed."""
    machine = torch.cuda.get_device_name() if bench.device.type == "cuda" else "no GPU"
    setting = {"machine": machine, "cores": cores(), "torch": torch.__version__, "size": size}
    kept = json.loads(results.read_text("utf-8")) if results.exists() else {}
    done: dict[str, list[dict[str, str]]] = kept["parts"] if kept.get("setting") == setting else {}
    failed = 0
    for name in only:
        if name in done:
            continue
        start = time.perf_counter()
        try:
            rows = PARTS[name](bench)
        except Exception:  # The other parts are measured, and this one again in a rerun.
            traceback.print_exc()
            failed += 1
            continue
        done[name] = [asdict(row) for row in (*rows, Row("the part took", f"{time.perf_counter() - start:.0f} s"))]
        write_json({"setting": setting, "parts": done}, results)
        print(f"{name}: {done[name][-1]['found']}", file=sys.stderr, flush=True)
    print(f"{machine}, {processor()}, torch {torch.__version__}, size {size}\n")
    print("| part | what | found | bar |\n|---|---|---|---|")
    for name, rows in done.items():
        for row in rows:
            print(f"| {name} | {row['what']} | {row['found']} | {row['bar']} |")
    return failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / ".work" / "gpu.json")
    parser.add_argument("--real", type=Path)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(torch.device(given.device), SIZES[given.size], given.real, Path(scratch))
        sys.exit(main(bench, given.results, given.only, given.size) > 0)
