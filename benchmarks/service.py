"""Measures the service against the bare forwards of its bundle's networks: one client, and many at once.

    python -m benchmarks.service --bundle artifacts/sample/sample/bundle --photos DIR

Every photo that is sent is another file, and each must be answered once, with its own hash.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
import requests

from benchmarks.machine import processor
from pipeline.recommend.recommender import Recommender
from project.command import prepare_process

TOKEN = "benchmark-benchmark"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of JPEGs")
    parser.add_argument("--alone", type=int, default=60, help="photos of one client")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--together", type=int, default=2000, help="photos of all clients")
    arguments = parser.parse_args()
    print(processor())
    prepare_process()  # As the service does, so that idle threads of torch sleep.
    files = [file.read_bytes() for file in sorted(arguments.photos.glob("*.jpg"))]
    different = (files[number % len(files)] + number.to_bytes(4, "big") for number in range(10**9))
    with Recommender.load(arguments.bundle, "cpu") as recommender, serving(arguments.bundle) as ask:
        warm(recommender, ask, different)
        bare, alone = [], []
        for _ in range(arguments.alone):  # In turn, so that both meet the same machine.
            bare.append(seconds_of(lambda _: forward(recommender), next(different)))
            alone.append(seconds_of(ask, next(different)))
        print(f"bare forwards: p50 {1000 * statistics.median(bare):.0f} ms")
        ratio = statistics.median(alone) / statistics.median(bare)
        print(f"one client, {len(alone)} photos: p50 {1000 * statistics.median(alone):.0f} ms, {ratio:.2f} × as long")
        photos = [next(different) for _ in range(arguments.together)]
        start = time.monotonic()
        with ThreadPoolExecutor(arguments.clients) as pool:
            times = sorted(pool.map(lambda photo: seconds_of(ask, photo), photos))
        rate = len(photos) / (time.monotonic() - start)
        p50, p99 = times[len(times) // 2], times[int(0.99 * len(times))]
        print(f"{arguments.clients} clients, {len(photos):,} photos: all answered, {rate:.1f} photos/s")
        print(f"p50 {p50:.2f} s, p99 {p99:.2f} s")


def warm(recommender: Recommender, ask: Callable[[bytes], None], photos: Iterator[bytes]) -> None:
    for _ in range(3):
        forward(recommender)
        ask(next(photos))


def forward(recommender: Recommender) -> None:
    """Runs the networks alone on pixels of the right shape."""
    for network in recommender._reader.networks.values():
        network.compute(np.zeros((1, network.size, network.size, 3), np.uint8))


def seconds_of(work: Callable[[bytes], None], photo: bytes) -> float:
    start = time.monotonic()
    work(photo)
    return time.monotonic() - start


@contextmanager
def serving(bundle: Path) -> Iterator[Callable[[bytes], None]]:
    """Starts the service; yields the function that asks it for one photo, and again while it is busy."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--bundle", str(bundle), "--port", "0", "--token", TOKEN, "--device", "cpu"]
        command = [sys.executable, "-m", "tagrec", "serve", *arguments, "--journal", f"{folder}/journal.sqlite"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
            url = next(line.split()[1] for line in process.stdout if line.startswith("Open "))

            def ask(photo: bytes) -> None:
                answer = post(url, photo)
                while answer.status_code == 503:
                    time.sleep(float(answer.headers["Retry-After"]))
                    answer = post(url, photo)
                (found,) = answer.json()["photos"]
                assert found["hash"] == sha256(photo).hexdigest()
                assert len(found["suggestions"]) == 10, found["error"]

            yield ask
            process.terminate()


def post(url: str, photo: bytes) -> requests.Response:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return requests.post(f"{url}api/suggest", headers=headers, files={"photo": ("a.jpg", photo)}, timeout=600)


if __name__ == "__main__":
    main()
