"""The feed of photos to a network that costs next to nothing: its speed against decoding alone, and its memory.

    python -m benchmarks.feed FOLDER [--photos 6000] [--rounds 3] [--workers N] [--many 100000] [--only feed memory]

FOLDER is the one of real photos that REAL_DATA names. They are packed again and again, all different.

feed       From shards to vectors with as many decoders as cores, against the same decoders alone, in turns. Both read
           the shards; the rest is what handing out, waiting, computing and writing cost.
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

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.data.packed import PackedPhoto
from pipeline.data.photo import Photo, prepare
from pipeline.data.shards import list_photos, pack
from pipeline.features.extraction.decoding import NICE, Decoders
from pipeline.features.extraction.device import cores
from pipeline.features.extraction.engine import PhotoTask, Vectors
from pipeline.features.extraction.local import CHUNK, LocalEngine
from pipeline.features.extraction.run import extract, features
from pipeline.features.extractor import Extractor
from pipeline.features.images import decode, resize_to_square
from pipeline.files.parquet import write_parquet


class Tiny(Extractor):
    """The mean colours of a grid of 8 × 8 parts: 192 numbers for next to no work."""

    preprocessing = "resized"
    packages = ("torch",)

    def __init__(self, size: int) -> None:
        record = {"kind": "tiny", "name": "tiny", "weights": "file"}
        super().__init__(nn.AvgPool2d(size // 8), size, torch.device("cpu"), record)

    @property
    def preprocess(self) -> partial[np.ndarray]:
        return partial(resize_to_square, size=self.size)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network(pixels).flatten(1)  # (B, 3, size, size) to (B, 3, 8, 8) to (B, 192).


def main(folder: Path, count: int, rounds: int, workers: int, many: int, only: Sequence[str]) -> None:
    """Prints the figures that are asked for."""
    files = sorted((folder / "photos").glob("*.jpg"))
    with tempfile.TemporaryDirectory() as scratch:
        if "feed" in only:
            pictures = [prepare(file.stem, file.read_bytes()).jpeg for file in files]
            feed(repeated(pictures, count, Path(scratch) / "photos"), rounds, workers, Path(scratch) / "work")
        if "memory" in only:
            pictures = [reduced(prepare(file.stem, file.read_bytes())) for file in files]
            memory(repeated(pictures, many, Path(scratch) / "small"), many, workers, Path(scratch) / "work")


def repeated(pictures: Sequence[bytes], count: int, folder: Path) -> list[PackedPhoto]:
    """Packs pictures again and again, each time with other bytes after the end of the picture."""

    def photo(name: str) -> Photo:
        return Photo(name, pictures[int(name) % len(pictures)] + name.encode(), 0, 0)

    pack([f"{number:07}" for number in range(count)], photo, folder, folder.with_name("packing"), "repeated")
    return list_photos(folder)


def feed(photos: Sequence[PackedPhoto], rounds: int, workers: int, work: Path) -> None:
    """All that extraction does, and decoding alone, in turns: photos a second from the first vectors on."""
    print(f"{cores()} cores, {workers} decoders, {rounds} rounds of {len(photos):,} photos")
    for size in (224, 448):
        extractor = Tiny(size)
        alone, fed = [], []
        for _ in range(rounds):
            alone.append(decoding(extractor, photos, workers))
            fed.append(extraction(extractor, photos, workers, work))
        ratio = median(of / all_in for of, all_in in zip(fed, alone, strict=True))
        print(f"  {size} pixels: decoding {median(alone):,.0f}, fed {median(fed):,.0f} photos/s, ratio {ratio:.3f}")


def decoding(extractor: Extractor, photos: Sequence[PackedPhoto], workers: int) -> float:
    """Photos a second that processes decode, which are there already."""
    rows = 64 * CHUNK
    jobs = [
        [(photo, [(0, (start + place) % rows)]) for place, photo in enumerate(photos[start : start + CHUNK])]
        for start in range(0, len(photos), CHUNK)
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


def extraction(extractor: Extractor, photos: Sequence[PackedPhoto], workers: int, work: Path) -> float:
    """Photos a second from the first vectors on, until all are written."""
    started: list[float] = []

    def clocked(extractors: Sequence[Extractor], tasks: Sequence[PhotoTask]) -> Generator[Vectors, None, None]:
        for computed in LocalEngine(workers)(extractors, tasks):
            started.append(time.perf_counter())
            yield computed

    extract([extractor], photos, work, clocked)
    seconds = time.perf_counter() - started[0]
    shutil.rmtree(work)
    return len(photos) * (1 - 1 / len(started)) / seconds


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


def reduced(photo: Photo) -> bytes:
    """A photo of 64 pixels: minutes for all, not hours."""
    image, buffer = decode(photo), io.BytesIO()
    image.thumbnail((64, 64))
    image.save(buffer, "JPEG")
    return buffer.getvalue()


def resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    figures = ("feed", "memory")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=6_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--only", nargs="+", choices=figures, default=figures)
    given = parser.parse_args()
    main(given.folder, given.photos, given.rounds, given.workers, given.many, given.only)
