"""Speed of extraction against the bare network and bare decoding, and quality on real photos.

    python -m benchmarks.extraction FOLDER [--photos 160] [--rounds 5] [--workers N] [--only speed quality …]

FOLDER is the one of real photos and weights that REAL_DATA names. On the device that the stages would choose:

speed      The extraction stage (photos in shards → parquet; without import and model load) against the forward pass of
           the same network on one ready batch, in turns, for VGG16 224 (seeded) and YOLOv8n 448 (real weights); and
           decoding alone on all cores. Medians of --rounds. CPU seconds hold even on busy cores.
command    The same stages as commands, from `python -m stages.extract NAME` to its end.
batches    The bare network with 8, 16 and 32 photos at once.
precision  How near features in TF32 and float16 are to float32: the least cosine of any photo.
parts      Seconds to read the vectors of 269,648 photos from parts of 16 and from those of a run at 10 photos/s.
quality    Mean AUC of the object features over the classes that at least five annotated photos show.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
import torch
from PIL import Image, ImageOps
from ruamel.yaml import YAML
from torch import Tensor

from benchmarks.machine import processor
from pipeline.data.packed import PackedPhoto, jpeg_hash, read_packed
from pipeline.data.photo import Photo, prepare
from pipeline.data.shards import list_photos, pack, packed
from pipeline.features.coco import COCO_CLASSES
from pipeline.features.extraction.batch import find_batch
from pipeline.features.extraction.decoding import Decoders
from pipeline.features.extraction.device import cores, pick_device
from pipeline.features.extraction.local import PHOTOS_PER_JOB, LocalEngine
from pipeline.features.extraction.precision import least_cosine
from pipeline.features.extraction.run import extract, features
from pipeline.features.extraction.vector_files import VectorFiles
from pipeline.features.extractor import Extractor, deterministic
from pipeline.features.images import decode
from pipeline.features.networks.torchvision.config import TorchvisionConfig
from pipeline.features.networks.ultralytics.config import UltralyticsConfig
from pipeline.files.parquet import write_parquet

YOLOV8N = "59c6a74153900f239ff296c40647eb1ecbcae33b3182cf51d39bd85e50268bf9"
SQUEEZENET = "ad65567c151e7f566f9aceadb685e994a7b91cc3259e4f96f59cd57c7ff03242"
NETWORKS = ("vgg16", "yolov8n")
ROOT = Path(__file__).parents[1]
NUS_WIDE = 269_648
MIRRORED = "-mirrored"


def main(folder: Path, networks: list[str], count: int, rounds: int, workers: int | None, only: list[str]) -> None:
    """Prints the requested measurements."""
    device = pick_device()
    print(f"{processor()}; {device.type}, {torch.get_num_threads()} threads, {rounds} rounds of {count} photos")
    with tempfile.TemporaryDirectory() as scratch:
        shards = Path(scratch) / "photos"
        pack_real(folder, shards, Path(scratch))
        places = list_photos(shards)[:count]
        photos = list(read_packed(places))
        if "speed" in only:
            for name in networks:
                speed(name, loaded(name, folder, device), shards, places, rounds, workers, Path(scratch))
        if "command" in only:
            command(folder, shards, count, Path(scratch))
        if "batches" in only:
            batches(networks, folder, device, photos, rounds)
        if "precision" in only:
            precision(folder, device, photos)
        if "parts" in only:
            parts(Path(scratch))
        if "quality" in only:
            quality(loaded("yolov8n", folder, device), folder, shards, workers, Path(scratch))


def pack_real(folder: Path, shards: Path, work: Path, count: int = 0) -> None:
    """Packs the real photos, and mirrored ones where `count` is more: of equal photos, one would be computed."""
    files = {path.stem: path for path in (folder / "photos").glob("*.jpg")}
    names = [*files, *(f"{name}{MIRRORED}" for name in files if count > len(files))]
    pack(names, lambda name: prepare(name, content(files, name)), shards, work / "packing", "real")


def content(files: Mapping[str, Path], name: str) -> bytes:
    """Reads a photo, or mirrors it and encodes it again."""
    path = files[name.removesuffix(MIRRORED)]
    if path.stem == name:
        return path.read_bytes()
    mirrored = io.BytesIO()
    with Image.open(path) as image:
        ImageOps.mirror(image.convert("RGB")).save(mirrored, "JPEG", quality=90)
    return mirrored.getvalue()


def loaded(
    name: str, folder: Path, device: torch.device, precision: str = "float32", runtime: str = "torch"
) -> Extractor:
    """VGG16 with seeded weights at 224 pixels, SqueezeNet with real ones, or YOLOv8n with real ones at 448."""
    weights = folder / "weights"
    if name == "yolov8n":
        detector = {"detector": str(weights / "yolov8n.pt"), "sha256": YOLOV8N, "input_size": 448}
        return UltralyticsConfig(kind="ultralytics", **detector, precision=precision, runtime=runtime).load(0, device)
    path = str(weights / "squeezenet1_1-features.safetensors")
    real = {"kind": "file", "path": path, "sha256": SQUEEZENET}
    of = {"backbone": name, "input_size": 224, "weights": {"kind": "seeded"} if name == "vgg16" else real}
    return TorchvisionConfig(kind="torchvision", **of, precision=precision, runtime=runtime).load(0, device)


def speed(
    name: str,
    extractor: Extractor,
    shards: Path,
    photos: list[PackedPhoto],
    rounds: int,
    workers: int | None,
    scratch: Path,
) -> None:
    """The stage and the bare network in turns, and decoding alone."""
    batch = find_batch(extractor)
    ready = pixels(extractor, list(read_packed(photos)), batch)
    runs: dict[str, list[tuple[float, float]]] = {"bare": [], "stage": [], "decoding": []}
    bare(extractor, ready, batch)  # Warms up.
    for _ in range(rounds):
        runs["bare"].append(timed(partial(bare, extractor, ready, len(photos))))
        runs["stage"].append(timed(partial(stage, extractor, shards, photos, workers, scratch)))
        runs["decoding"].append((decoding(extractor, photos), 0.0))
    # Of the stage in one process: the CPU seconds of others cannot be read.
    _, alone = timed(partial(stage, extractor, shards, photos, 0, scratch))
    rates = {what: median(len(photos) / seconds for seconds, _ in found) for what, found in runs.items()}
    ratio = median(of[0] / all_in[0] for of, all_in in zip(runs["bare"], runs["stage"], strict=True))
    cpu = {"bare": min(cpu for _, cpu in runs["bare"]), "stage": alone}
    print(f"{name}, batch {batch}, load {os.getloadavg()[0]:.1f}")
    print("  photos/s: " + ", ".join(f"{what} {rate:.2f}" for what, rate in rates.items()))
    print(f"  stage / bare: {rates['stage'] / rates['bare']:.3f} of medians, {ratio:.3f} median of rounds")
    each = ", ".join(f"{what} {seconds / len(photos) * 1e3:.1f}" for what, seconds in cpu.items())
    print(f"  CPU ms a photo: {each}: {cpu['bare'] / cpu['stage']:.3f}", flush=True)


def timed(work: partial) -> tuple[float, float]:
    """Wall and CPU seconds of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def pixels(extractor: Extractor, photos: Iterable[Photo], batch: int) -> Tensor:
    """Returns the network's input for a batch, on its device."""
    seen = np.stack([extractor.preprocess(decode(photo)) for photo in islice(cycle(photos), batch)])
    on_device = torch.from_numpy(seen).to(extractor.device).permute(0, 3, 1, 2).float().div_(255)
    return on_device.contiguous(memory_format=torch.channels_last)


def bare(extractor: Extractor, ready: Tensor, count: int) -> None:
    """The forward pass alone, on the same batch as often as so many photos ask for."""
    lower = torch.autocast(extractor.device.type, extractor.precision, enabled=extractor.precision != torch.float32)
    with torch.inference_mode(), deterministic(extractor.tf32), lower:
        for _ in range(-(-count // len(ready))):
            extractor.forward(ready)
    if extractor.device.type == "cuda":
        torch.cuda.synchronize()


def stage(extractor: Extractor, shards: Path, photos: list[PackedPhoto], workers: int | None, scratch: Path) -> None:
    """Does the work of a stage whose network is loaded, with nothing finished before."""
    with fresh(scratch / "work") as work:
        listed = list_photos(shards, {photo.id for photo in photos})
        extract([extractor], listed, work, LocalEngine(workers))
        write_parquet(features(extractor, listed, work), work / "features.parquet")


def decoding(extractor: Extractor, photos: list[PackedPhoto]) -> float:
    """Seconds that all cores take to decode; their processes are there already."""
    shape = (len(photos), extractor.size, extractor.size, 3)
    jobs = [
        [(photo, [(0, start + place)]) for place, photo in enumerate(photos[start : start + PHOTOS_PER_JOB])]
        for start in range(0, len(photos), PHOTOS_PER_JOB)
    ]
    with Decoders([extractor.preprocess], [shape], cores()) as decoders:
        for decoded in [decoders.submit(job) for job in jobs[: cores()]]:
            decoded.result()
        start = time.perf_counter()
        for decoded in [decoders.submit(job) for job in jobs]:
            decoded.result()
        return time.perf_counter() - start


@contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def command(folder: Path, shards: Path, count: int, scratch: Path) -> None:
    """Both stages as commands in a project of their own."""
    project = scratch / "project"
    names = packed(shards)["photo"][:count]
    write_parquet(
        pl.DataFrame({"user": ["u"] * len(names), "photo": names, "tag": ["t"] * len(names)}),
        project / "artifacts" / "table" / "own" / "assignments.parquet",
    )
    (project / "artifacts" / "table" / "photos").symlink_to(shards)
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text())
    params["source"], params["recipe"] = "table", "own"
    params["recipes"]["own"] = params["recipes"]["sample"]
    params["extractors"]["image"]["weights"] = {"kind": "seeded"}
    params["extractors"]["objects"] |= {
        "detector": str((folder / "weights" / "yolov8n.pt").resolve()),
        "sha256": YOLOV8N,
    }
    yaml.dump(params, project / "params.yaml")
    for name in ("image", "objects"):
        start = time.perf_counter()
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-m", "stages.extract", name], cwd=project, env=environment, check=True)
        seconds = time.perf_counter() - start
        print(f"{name}: {len(names)} photos in {seconds:.1f} s, {len(names) / seconds:.2f} photos/s with all")


def batches(networks: list[str], folder: Path, device: torch.device, photos: list[Photo], rounds: int) -> None:
    for name in networks:
        extractor = loaded(name, folder, device)
        ready = {batch: pixels(extractor, photos, batch) for batch in (8, 16, 32)}
        runs: dict[int, list[tuple[float, float]]] = {batch: [] for batch in ready}
        for _ in range(rounds + 1):
            for batch, of in ready.items():
                runs[batch].append(timed(partial(bare, extractor, of, 64)))
        for batch, (_, *found) in runs.items():
            wall, cpu = (median(of) for of in zip(*found, strict=True))
            print(f"{name}, {batch} photos at once: {64 / wall:.2f} photos/s, {cpu / 64 * 1e3:.1f} CPU ms a photo")


def precision(folder: Path, device: torch.device, photos: list[Photo]) -> None:
    for name in ("squeezenet1_1", "yolov8n", "vgg16"):
        found = {}
        for of in ("float32", "tf32", "float16"):
            extractor = loaded(name, folder, device, of)
            extractor.compute_in(of)
            seen = np.stack([extractor.preprocess(decode(photo)) for photo in photos])
            start = time.process_time()
            found[of] = np.concatenate([extractor.compute(seen[at : at + 16]) for at in range(0, len(seen), 16)])
            seconds = time.process_time() - start
            nearest = least_cosine(found[of], found["float32"])
            print(f"{name}, {of}: least cosine {nearest:.6f}; {seconds:.1f} CPU s")


def parts(scratch: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((NUS_WIDE, 512), dtype=np.float32)
    names = [jpeg_hash(str(number).encode()) for number in range(NUS_WIDE)]
    for each in (16, 64):
        with fresh(scratch / "parts") as folder:
            kept = VectorFiles(folder, 512)
            for at in range(0, NUS_WIDE, each):
                kept.add(names[at : at + each], vectors[at : at + each])
                kept.flush()
            start = time.perf_counter()
            assert len(kept.hashes()) == NUS_WIDE
            print(f"{NUS_WIDE:,} vectors in parts of {each}: read in {time.perf_counter() - start:.1f} s")


def quality(extractor: Extractor, folder: Path, shards: Path, workers: int | None, scratch: Path) -> None:
    """Prints the mean AUC of the classes' features, as scores for the photos that show them."""
    known = pl.read_csv(folder / "photos.csv", schema_overrides={"id": pl.String, "labels": pl.String})
    known = known.filter(pl.col("annotated") == 1).with_columns(pl.col("labels").fill_null("").str.split("|"))
    with fresh(scratch / "work") as work:
        listed = list_photos(shards, known["id"])
        extract([extractor], listed, work, LocalEngine(workers))
        table = pl.from_arrow(features(extractor, listed, work))
    joined = known.join(table, left_on="id", right_on="photo")
    scores = np.array(joined["vector"].to_list())
    for split in ("all", "val2017"):
        rows = np.ones(len(joined), bool) if split == "all" else (joined["split"] == split).to_numpy()
        reached = []
        for number, name in enumerate(COCO_CLASSES):
            there = joined["labels"].list.contains(name).to_numpy()[rows]
            if there.sum() >= 5:
                reached.append(auc(there, scores[rows, number]))
        print(f"{split}: {rows.sum()} photos, {len(reached)} classes, mean AUC {np.mean(reached):.4f}")


def auc(there: np.ndarray, scores: np.ndarray) -> float:
    """Returns the chance that a photo with a class scores above one without, by mean ranks (Mann and Whitney)."""
    _, positions, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[positions]
    positive = there.sum()
    return float((ranks[there].sum() - positive * (positive + 1) / 2) / (positive * (len(there) - positive)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choices = ("speed", "command", "batches", "precision", "parts", "quality")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--only", nargs="+", choices=choices, default=choices)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS, help="of `speed` and `batches`")
    given = parser.parse_args()
    main(given.folder, given.networks, given.photos, given.rounds, given.workers, given.only)
