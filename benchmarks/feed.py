"""The feed of photos to a network that costs next to nothing: its speed against decoding alone, decoders, memory.

    python -m benchmarks.feed FOLDER [--photos 6000] [--rounds 3] [--workers N] [--many 100000] [--only feed start …]

FOLDER is the one of real photos and weights that REAL_DATA names. The photos are packed again and again, all different.

feed       From shards to vectors with as many decoders as cores, against the same decoders alone, in turns. Both read
           the shards; the rest is what handing out, waiting, computing and writing cost.
decode     Each decoder of processes: photos a second, CPU time of a photo, seconds that a process takes to the first,
           and the least cosine of vectors to those of Pillow's pixels. `benchmarks.gpu` measures the GPU's.
start      The same decoders: seconds and CPU seconds until 2 and 8 processes have decoded a photo each; their memory.
capacity   Extraction from photos of 16 pixels, which cost next to nothing to decode, in the batches and jobs of a GPU:
           photos a second, and the CPU time that the main process spends on one.
memory     Resident memory over 100,000 small photos (--many).
"""

import argparse
import io
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from unittest.mock import patch

import numpy as np
import psutil
import torch
from torch import Tensor, nn

from benchmarks.extraction import loaded
from benchmarks.machine import processor
from pipeline.data.packed import PackedPhoto, read_packed
from pipeline.data.photo import Photo, prepare
from pipeline.data.shards import list_photos, pack
from pipeline.features.extraction import local
from pipeline.features.extraction.decoders import DECODERS
from pipeline.features.extraction.decoding import NICE, Decoders
from pipeline.features.extraction.device import cores
from pipeline.features.extraction.engine import PhotoTask, Vectors
from pipeline.features.extraction.local import PHOTOS_PER_GPU_JOB, PHOTOS_PER_JOB, LocalEngine
from pipeline.features.extraction.precision import least_cosine
from pipeline.features.extraction.run import extract, features
from pipeline.features.extractor import Extractor
from pipeline.features.images import resize_to_square
from pipeline.files.parquet import write_parquet


class Tiny(Extractor):
    """A grid of 8 × 8 pixels: 192 numbers for no work."""

    preprocessing = "resized"
    packages = ("torch",)

    def __init__(self, size: int) -> None:
        record = {"kind": "tiny", "name": "tiny", "weights": "file"}
        super().__init__(nn.Identity(), size, torch.device("cpu"), record)

    @property
    def preprocess(self) -> partial[np.ndarray]:
        return partial(resize_to_square, size=self.size)

    def compute(self, batch: np.ndarray) -> np.ndarray:
        step = self.size // 8
        return batch[:, ::step, ::step].reshape(len(batch), -1).astype(np.float32)  # (B, size, size, 3) to (B, 192).

    def forward(self, pixels: Tensor) -> Tensor:
        raise NotImplementedError("a grid needs no network")


def main(folder: Path, count: int, rounds: int, workers: int, many: int, only: Sequence[str]) -> None:
    """Prints the requested measurements."""
    print(processor())
    files = sorted((folder / "photos").glob("*.jpg"))
    with tempfile.TemporaryDirectory() as scratch:
        if "feed" in only:
            pictures = [prepare(file.stem, file.read_bytes()).jpeg for file in files]
            feed(repeated(pictures, count, Path(scratch) / "photos"), rounds, workers, Path(scratch) / "work")
        if "decode" in only:
            pictures = [prepare(file.stem, file.read_bytes()).jpeg for file in files]
            decode(folder, repeated(pictures, count, Path(scratch) / "decoded"), workers)
        if "start" in only:
            pictures = [prepare(file.stem, file.read_bytes()).jpeg for file in files]
            start(repeated(pictures, 100, Path(scratch) / "few"))
        if "capacity" in only:
            pictures = [reduced(prepare(file.stem, file.read_bytes()), 16) for file in files]
            capacity(repeated(pictures, count, Path(scratch) / "tiny"), rounds, workers, Path(scratch) / "work")
        if "memory" in only:
            pictures = [reduced(prepare(file.stem, file.read_bytes()), 64) for file in files]  # Minutes, not hours.
            memory(repeated(pictures, many, Path(scratch) / "small"), many, workers, Path(scratch) / "work")


def repeated(pictures: Sequence[bytes], count: int, folder: Path) -> list[PackedPhoto]:
    """Packs pictures again and again, each time with other bytes after the end of the picture."""

    def photo(name: str) -> Photo:
        return Photo(name, pictures[int(name) % len(pictures)] + name.encode(), 0, 0)

    pack([f"{number:07}" for number in range(count)], photo, folder, folder.with_name("packing"), "repeated")
    return list_photos(folder)


def feed(photos: Sequence[PackedPhoto], rounds: int, workers: int, work: Path) -> None:
    """All that extraction does, and decoding alone, in turns: photos a second from the first vectors on."""
    print(f"{workers} decoders, {rounds} rounds of {len(photos):,} photos")
    for size in (224, 448):
        extractor = Tiny(size)
        alone, fed = [], []
        for _ in range(rounds):
            alone.append(decoding(extractor, photos, workers))
            fed.append(extraction(extractor, photos, workers, work)[0])
        ratio = median(of / all_in for of, all_in in zip(fed, alone, strict=True))
        print(f"  {size} pixels: decoding {median(alone):,.0f}, fed {median(fed):,.0f} photos/s, ratio {ratio:.3f}")


def decoding(extractor: Extractor, photos: Sequence[PackedPhoto], workers: int) -> float:
    """Photos a second that processes decode, which are there already."""
    rows = 64 * PHOTOS_PER_JOB
    jobs = [
        [(photo, [(0, (start + place) % rows)]) for place, photo in enumerate(photos[start : start + PHOTOS_PER_JOB])]
        for start in range(0, len(photos), PHOTOS_PER_JOB)
    ]
    with Decoders(
        [extractor.preprocess], [(rows, extractor.size, extractor.size, 3)], workers, NICE, extractor.decoder
    ) as decoders:
        for decoded in [decoders.submit(job) for job in jobs[:workers]]:
            decoded.result()
        start = time.perf_counter()
        for decoded in [decoders.submit(job) for job in jobs]:
            decoded.result()
        return len(photos) / (time.perf_counter() - start)


def extraction(extractor: Extractor, photos: Sequence[PackedPhoto], workers: int, work: Path) -> tuple[float, float]:
    """Photos a second, and this process's CPU seconds a photo, from the first vectors on, until all are written."""
    yielded: list[tuple[float, float, int]] = []

    def clocked(extractors: Sequence[Extractor], tasks: Sequence[PhotoTask]) -> Generator[Vectors, None, None]:
        for computed in LocalEngine(workers)(extractors, tasks):
            yielded.append((time.perf_counter(), time.process_time(), len(computed.hashes)))
            yield computed

    extract([extractor], photos, work, clocked)
    end, spent = time.perf_counter(), time.process_time()
    shutil.rmtree(work)
    began, spent_before, first = yielded[0]
    rest = len(photos) - first
    return rest / (end - began), (spent - spent_before) / rest


def decode(folder: Path, photos: Sequence[PackedPhoto], workers: int) -> None:
    """The decoders one after another, on the same photos."""
    print(f"{workers} processes, {len(photos):,} photos")
    some = list(read_packed(photos[:64]))
    for name in ("squeezenet1_1", "yolov8n"):
        extractor = loaded(name, folder, torch.device("cpu"))
        exact = extractor.compute(np.stack([extractor.preprocess(DECODERS["pillow"](photo)) for photo in some]))
        print(f"  {name}, {extractor.size} pixels:")
        for decoder, function in DECODERS.items():
            extractor.decode_with(decoder)
            function(some[0])  # Imports what it needs.
            start = time.process_time()
            pixels = np.stack([extractor.preprocess(function(photo)) for photo in some])
            each = 1e3 * (time.process_time() - start) / len(some)
            rate, begins = decoding(extractor, photos, workers), first(extractor, photos[0])
            cosine = least_cosine(extractor.compute(pixels), exact)
            measured = f"{each:.1f} CPU ms each, {begins:.1f} s to the first, least cosine {cosine:.7f}"
            print(f"    {decoder}: {rate:,.0f} photos/s, {measured}", flush=True)


def first(extractor: Extractor, photo: PackedPhoto) -> float:
    """Seconds until a process that is started has decoded a photo."""
    shape = (1, extractor.size, extractor.size, 3)
    start = time.perf_counter()
    with Decoders([extractor.preprocess], [shape], 1, 0, extractor.decoder) as decoders:
        decoders.submit([(photo, [(0, 0)])]).result()
        return time.perf_counter() - start


def start(photos: Sequence[PackedPhoto], counts: Sequence[int] = (2, 8)) -> None:
    """The time until processes, all started at once, have decoded a photo each."""
    extractor = Tiny(224)
    for decoder in DECODERS:
        for count in counts:
            shape = (count, extractor.size, extractor.size, 3)
            begun = time.perf_counter()
            with Decoders([extractor.preprocess], [shape], count, 0, decoder) as decoders:
                for decoded in [decoders.submit([(photos[row], [(0, row)])]) for row in range(count)]:
                    decoded.result()
                seconds = time.perf_counter() - begun
                processes = psutil.Process().children(recursive=True)
                spent = sum(sum(each.cpu_times()[:2]) for each in processes)
                held = sum(each.memory_full_info().pss for each in processes) / 1e6
            print(f"  {decoder}, {count} processes: {seconds:.1f} s, {spent:.1f} CPU s, {held:,.0f} MB", flush=True)


def capacity(photos: Sequence[PackedPhoto], rounds: int, workers: int, work: Path) -> None:
    """The most photos that one process can hand out, in the batches and jobs of a GPU."""
    with patch.object(local, "find_batch", lambda _: 256), patch.object(local, "PHOTOS_PER_JOB", PHOTOS_PER_GPU_JOB):
        for _ in range(rounds):
            rate, spent = extraction(Tiny(16), photos, workers, work)
            print(f"  {workers} processes: {rate:,.0f} photos/s, {1e6 * spent:.0f} CPU µs each", flush=True)


def memory(photos: Sequence[PackedPhoto], many: int, workers: int, work: Path) -> None:
    def watched(extractors: Sequence[Extractor], tasks: Sequence[PhotoTask]) -> Generator[Vectors, None, None]:
        done = 0
        for computed in LocalEngine(workers)(extractors, tasks):
            if (done + len(computed.hashes)) * 10 // many > done * 10 // many:
                print(f"  {done:>7,} photos: {resident():.0f} MB", flush=True)
            done += len(computed.hashes)
            yield computed

    extractor = Tiny(32)
    start = time.perf_counter()
    extract([extractor], photos, work, watched)
    print(f"  extracted: {resident():.0f} MB, {many / (time.perf_counter() - start):.0f} photos/s")
    table = features(extractor, photos, work)
    print(f"  table of {table.nbytes / 1e6:.0f} MB made: {resident():.0f} MB")
    write_parquet(table, work / "features.parquet")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"  written: {resident():.0f} MB, {peak:.0f} MB at most")


def reduced(photo: Photo, side: int) -> bytes:
    """A photo whose longer side is shortened to `side` pixels."""
    image, buffer = DECODERS["pillow"](photo), io.BytesIO()
    image.thumbnail((side, side))
    image.save(buffer, "JPEG")
    return buffer.getvalue()


def resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choices = ("feed", "decode", "start", "capacity", "memory")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=6_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--only", nargs="+", choices=choices, default=choices)
    given = parser.parse_args()
    main(given.folder, given.photos, given.rounds, given.workers, given.many, given.only)
