"""The Ray engine compared with the local one on one machine, and the photos that one machine can send out.

    python -m benchmarks.ray_engine FOLDER [--photos 256] [--rounds 3] [--only speed feed sizes]

FOLDER holds real photos and weights (see `benchmarks.extraction`). `speed`: VGG16 with seeded weights at 224 pixels,
the engines in turns, on the same photos, from shards to finished parts: the rate of all of it, Ray's start included,
and from the first vectors on. `feed`: how many photos a second the machine that asks reads, and how many it
sends through Ray, in chunks for GPUs, and back to parts when nothing is decoded or computed. `sizes`: bytes of a packed
photo, and of a row of features.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.extraction import loaded, pack_real
from benchmarks.machine import processor
from pipeline import cluster
from pipeline.data.packed import PackedPhoto, read_packed
from pipeline.data.shards import list_photos, packed
from pipeline.features.extraction.chunks import Chunk
from pipeline.features.extraction.engine import Engine, PhotoTask, Vectors
from pipeline.features.extraction.local import LocalEngine
from pipeline.features.extraction.ray import PHOTOS_PER_CHUNK, RayEngine
from pipeline.features.extraction.run import extract, features
from pipeline.features.extraction.vector_files import VectorFiles
from pipeline.features.extractor import Extractor
from pipeline.files.parquet import write_parquet

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.data import Dataset

CPU = torch.device("cpu")
DIMENSION = 512


def main(folder: Path, count: int, rounds: int, only: Sequence[str]) -> None:
    """Prints the requested measurements."""
    print(f"{processor()}; {torch.get_num_threads()} threads, {rounds} rounds")
    with tempfile.TemporaryDirectory() as scratch:
        shards = Path(scratch) / "photos"
        pack_real(folder, shards, Path(scratch))
        if "speed" in only:
            speed(loaded("vgg16", folder, CPU), shards, count, rounds, Path(scratch))
        if "feed" in only:
            feed(shards, Path(scratch))
        if "sizes" in only:
            sizes(folder, shards, Path(scratch))


@dataclass
class Clock:
    """An engine, with the times of its work: seconds until the first vectors, and all."""

    engine: Engine
    photos: int = 0
    before: int = field(default=0, metadata={"of": "photos that the first vectors are of"})
    first: float = 0.0
    all: float = 0.0

    def __call__(self, extractors: Sequence[Extractor], tasks: Iterable[PhotoTask]) -> Generator[Vectors, None, None]:
        start = time.perf_counter()
        for computed in self.engine(extractors, tasks):
            self.photos += len(computed.hashes)
            if not self.first:
                self.first, self.before = time.perf_counter() - start, self.photos
            yield computed
        self.all = time.perf_counter() - start

    @property
    def whole(self) -> float:
        """Photos a second, the start included."""
        return self.photos / self.all

    @property
    def steady(self) -> float:
        """Photos a second from the first vectors on, the end of Ray included."""
        return (self.photos - self.before) / (self.all - self.first)


def speed(extractor: Extractor, shards: Path, count: int, rounds: int, scratch: Path) -> None:
    """Both engines in turns; the first round warms up and does not count."""
    clocks: dict[str, list[Clock]] = {"local": [], "ray": []}
    files = set()
    for turn in range(rounds + 1):
        for name, engine in (("local", LocalEngine()), ("ray", RayEngine())):
            clock = Clock(engine)
            files.add(
                extraction(
                    extractor, shards, count if turn else 2 * PHOTOS_PER_CHUNK["cpu"], scratch, clock, bool(turn)
                )
            )
            if turn:
                clocks[name].append(clock)
                print(f"  {name:5} {clock.whole:.2f} in all, {clock.steady:.2f} steady, load {os.getloadavg()[0]:.1f}")
    print(f"VGG16, {count} photos, the same bytes: {len(files - {b''}) == 1}")
    for what, rate in (
        ("with its start", lambda clock: clock.whole),
        ("from the first vectors on", lambda clock: clock.steady),
    ):
        local, ray = (median(rate(clock) for clock in clocks[name]) for name in ("local", "ray"))
        pairs = [rate(one) / rate(other) for one, other in zip(clocks["ray"], clocks["local"], strict=True)]
        print(f"  {what}: local {local:.2f}, ray {ray:.2f} photos/s; ray / local {median(pairs):.3f}, median of rounds")
    late = median(one.first - other.first for one, other in zip(clocks["ray"], clocks["local"], strict=True))
    print(f"  ray's first vectors come {late:.1f} s later", flush=True)


def extraction(extractor: Extractor, shards: Path, count: int, scratch: Path, engine: Engine, whole: bool) -> bytes:
    """The file that an engine leads to; nothing where it is not of the `whole`."""
    work = scratch / "work"
    photos = list_photos(shards)[:count]
    extract([extractor], photos, work, engine)
    write_parquet(features(extractor, photos, work), scratch / "features.parquet")
    shutil.rmtree(work)
    return (scratch / "features.parquet").read_bytes() if whole else b""


def feed(shards: Path, scratch: Path, seconds: float = 20.0) -> None:
    """Measures the caller's part, when others do all the rest."""
    tasks = map(task, cycle(list_photos(shards)))
    chunks = map(with_photos, iter(lambda: list(islice(tasks, PHOTOS_PER_CHUNK["cuda"])), []))
    start, read = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        read += len(next(chunks)[1])
    print(f"reading: {read / (time.perf_counter() - start):,.0f} photos/s")
    parts = VectorFiles(scratch / "fed", DIMENSION)
    with cluster.connected():
        sent, start, cpu = -PHOTOS_PER_CHUNK["cuda"], 0.0, 0.0
        for table in cluster.stream(chunks, no_pixels, no_network):
            hashes, vectors = table["hashes"].to_pylist()[0], table["vectors"].to_pylist()[0]
            parts.add(hashes, np.frombuffer(vectors, np.float32).reshape(-1, DIMENSION))
            if not start:
                start, cpu = time.perf_counter(), time.process_time()
            sent += len(hashes)
            if time.perf_counter() - start > seconds:
                break
        rates = sent / (time.perf_counter() - start), sent / (time.process_time() - cpu)
    # The others' part runs on this machine, too: where there are others, the second number counts.
    print(f"and sending, receiving, writing: {rates[0]:,.0f} photos/s, {rates[1]:,.0f} in a CPU second", flush=True)


def task(photo: PackedPhoto) -> PhotoTask:
    return PhotoTask(photo, frozenset({0}))


def with_photos(tasks: Sequence[PhotoTask]) -> Chunk:
    return tasks, list(read_packed(task.photo for task in tasks))


def no_pixels(chunk: Chunk) -> cluster.Columns:
    return {"hashes": [[task.photo.hash for task in chunk[0]]]}


def no_network(rows: "Dataset") -> "Dataset":
    return rows.map_batches(no_vectors, num_cpus=0.1, **cluster.WHOLE_BLOCKS)


def no_vectors(table: "pa.Table") -> "pa.Table":
    (hashes,) = table["hashes"].to_pylist()
    return table.append_column("vectors", [[bytes(4 * DIMENSION * len(hashes))]])


def sizes(folder: Path, shards: Path, scratch: Path) -> None:
    """Bytes on disk."""
    there = len(packed(shards))
    held = sum(path.stat().st_size for path in shards.iterdir())
    print(f"a packed photo: {held / there:,.0f} bytes")
    for name in ("squeezenet1_1", "yolov8n"):
        extractor = loaded(name, folder, CPU)
        extraction(extractor, shards, there, scratch, LocalEngine(), True)
        size = (scratch / "features.parquet").stat().st_size
        print(f"a row of {extractor.dimension} numbers ({name}): {size / there:,.0f} bytes", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="real photos and weights")
    parser.add_argument("--photos", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    everything = ["speed", "feed", "sizes"]
    parser.add_argument("--only", nargs="+", choices=everything, default=everything)
    arguments = parser.parse_args()
    main(arguments.folder, arguments.photos, arguments.rounds, arguments.only)
