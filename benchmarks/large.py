"""Training on more photos than memory holds: memory and time of an epoch of FM-IC-OD.

    python -m benchmarks.large [--posts 10000000] [--folder FOLDER] [--epochs 1]

The posts are made up in the shape of `benchmarks.training`, each with a photo of its own and 592 numbers: 24 GB of
files for ten million, which are deleted in the end. Their vectors are mapped, as those of a store that outgrows memory
are. Epochs of the first 76,842 in memory, in a process of their own before and after, set the pace. Memory is that of
the process which trains, from its start: what it allocated itself, and the most that it had, pages of files included.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.machine import processor
from benchmarks.training import FACTORS, LIKED, SHOWN, TAGS, THINGS, USERS, WIDTHS, Bench
from pipeline.features.store import Features
from pipeline.files.matrices import map_matrix, write_matrix
from project.params import load

CHUNK = 1 << 17
"""Posts that are made at a time."""
SMALL = 76842
PACE = 3
"""Epochs of so many posts that are clocked before and after."""


def main(posts: int, epochs: int, parent: Path | None) -> None:
    """Makes the posts, trains on them in a process of its own, and prints what that took."""
    print(processor())
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder, spawn = Path(name), get_context("spawn")
        for work in ((make, folder, posts), (measure, folder, posts, epochs)):
            process = spawn.Process(target=work[0], args=work[1:])
            process.start()
            process.join()


def make(folder: Path, posts: int) -> None:
    """Writes the posts, and the vectors of their photos."""
    start = time.perf_counter()
    for number, (low, size) in enumerate(chunks(posts)):
        chunk_of_posts(low, size).write_parquet(folder / f"{number:04}.parquet")
    for kind, width in WIDTHS.items():
        write_matrix((vectors(kind, low, size) for low, size in chunks(posts)), width, folder / kind)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{posts:,} posts made in {time.perf_counter() - start:.0f} s, {size / 1e9:.1f} GB", flush=True)


def chunks(posts: int) -> Iterator[tuple[int, int]]:
    """Yields the first post and the size of each chunk."""
    yield from ((low, min(CHUNK, posts - low)) for low in range(0, posts, CHUNK))


def things(low: int, size: int) -> tuple[np.random.Generator, np.ndarray]:
    """Draws the two things of each photo of a chunk, and returns the generator of the rest."""
    rng = np.random.default_rng(low + 1)
    return rng, rng.integers(0, THINGS, (size, 2))


def chunk_of_posts(low: int, size: int) -> pl.DataFrame:
    """Makes posts (user, photo, tags): four draws of a user's tags and four of things' tags, each once."""
    shared, (rng, seen) = np.random.default_rng(0), things(low, size)
    popularity = 1 / np.arange(1, TAGS + 1) ** 0.8
    liked = shared.choice(TAGS, (USERS, LIKED), p=popularity / popularity.sum())
    shown = shared.choice(TAGS, (THINGS, SHOWN), p=popularity / popularity.sum())
    users = rng.integers(0, USERS, size)
    own = np.take_along_axis(liked[users], rng.integers(0, LIKED, (size, 4)), axis=1)
    of_things = [shown[seen[:, side, None], rng.integers(0, SHOWN, (size, 2))] for side in (0, 1)]
    tags = np.sort(np.concatenate([own, *of_things], axis=1))
    first = np.diff(tags, axis=1, prepend=-1) > 0
    names = pa.array([f"t{tag:04}" for tag in range(TAGS)]).take(pa.array(tags[first]))
    lists = pa.ListArray.from_arrays(pa.array(np.concatenate([[0], first.sum(1).cumsum()]), pa.int32()), names)
    photos = [f"p{photo:08}" for photo in range(low, low + size)]
    return pl.DataFrame({"user": [f"u{user:04}" for user in users], "photo": photos, "tags": pl.from_arrow(lists)})


def vectors(kind: str, low: int, size: int) -> np.ndarray:
    """Makes the vectors of a chunk's photos, of length one on average: (size, numbers) float32."""
    looks = np.random.default_rng(0).standard_normal((THINGS, WIDTHS[kind]), dtype=np.float32)
    rng, seen = things(low, size)
    noise = rng.standard_normal((size, WIDTHS[kind]), dtype=np.float32)
    return (looks[seen[:, 0]] + looks[seen[:, 1]] + noise) / np.float32(np.sqrt(3 * WIDTHS[kind]))


def measure(folder: Path, posts: int, epochs: int) -> None:
    """Trains, and prints the memory and the seconds of an epoch."""
    ours, its = Pipe()
    get_context("spawn").Process(target=pace, args=(folder, its), daemon=True).start()
    peak, start = Peak(), time.perf_counter()
    large = bench(pl.read_parquet(folder / "*.parquet"), {kind: map_matrix(folder / kind) for kind in WIDTHS})
    print(f"encoded in {time.perf_counter() - start:.0f} s; memory so far {peak}", flush=True)
    for number in range(epochs):
        ours.send(PACE)
        before = ours.recv()
        found = clocked(large)
        ours.send(PACE)
        after = ours.recv()
        times = posts / SMALL
        wall, used = (median(one[place] for one in before + after) * times for place in (0, 1))
        print(
            f"epoch {number}: {found[0]:.0f} s, CPU {found[1]:.0f} s; {times:.0f} epochs of {SMALL:,} posts take "
            f"{wall:.0f} s, CPU {used:.0f} s: {found[0] / wall:.2f} times, CPU {found[1] / used:.2f}; memory {peak}",
            flush=True,
        )


def pace(folder: Path, pipe: Connection) -> None:
    """Clocks epochs of the first posts, in memory, as often as it is asked to.

    Ends when the other end of the pipe is closed.
    """
    frame = pl.read_parquet(folder / "0000.parquet")[:SMALL]
    small = bench(frame, {kind: np.array(map_matrix(folder / kind)[: len(frame)]) for kind in WIDTHS})
    small.epoch()
    with suppress(EOFError):
        while True:
            pipe.send([clocked(small) for _ in range(pipe.recv())])


def bench(posts: pl.DataFrame, matrices: dict[str, np.ndarray]) -> Bench:
    """Prepares FM-IC-OD with the settings of params.yaml, but 1,024 posts a batch."""
    training = load(Path("params.yaml")).training.model_copy(update={"factors": FACTORS, "batch": 1024, "balance": 0.0})
    return Bench(training, posts, Features(posts["photo"], matrices), "fm", "image+objects")


def clocked(bench: Bench) -> tuple[float, float]:
    """Runs an epoch; returns its seconds, and those of the CPU."""
    used = time.process_time()
    return bench.epoch(), time.process_time() - used


class Peak:
    """The most memory of this process, looked at every twentieth of a second."""

    def __init__(self) -> None:
        self.own = self.whole = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def __str__(self) -> str:
        return f"{self.own:.2f} GB of its own, {self.whole:.2f} GB with mapped files"

    def _watch(self) -> None:
        while True:
            sizes = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
            own, whole = (int(sizes[key].split()[0]) * 1024 / 1e9 for key in ("RssAnon", "VmRSS"))
            self.own, self.whole = max(self.own, own), max(self.whole, whole)
            time.sleep(0.05)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--posts", type=int, default=10_000_000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="for the files; by default the system's for temporary ones")
    arguments = parser.parse_args()
    main(arguments.posts, arguments.epochs, arguments.folder)
