"""Kills the pipeline and the service at random for an hour: nothing may be lost, leak or be left over.

    python -m scripts.soak [--minutes 60] [--seed 0]

A clone of the project crawls an unreliable fake of Flickr on loopback, extracts, trains and reports, once undisturbed,
then repeatedly while its processes are killed: all outputs must have the same bytes each time. Meanwhile two services
answer requests. One is killed, and every post that it confirmed must be in its journal; the other runs all the time,
and neither its memory nor its open files may grow. Prints a table; exits with 1 if anything is wrong.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil
import requests
from ruamel.yaml import YAML

from project.dvc_files import damaged
from tests.support.clone import Clone, environment
from tests.support.fake_flickr import KEY, FakeFlickr, jpeg, serving
from tests.support.nus_wide_folder import QUICK, flaky_photos, write_lists
from tests.support.service import Client, hash_of
from tests.support.service_process import command_process

MODELS = ("popular", "own-photos", "ridge-ic-od", "pitf-ic-od")
KILLS = 12
"""Kills in a round, at most; after them it runs to its end."""
MAX_GROWTH = 1.05
"""The ratio of a service's memory in the last third of its time to that in the second, at most."""
LEFTOVERS = ("*.tmp", "*.copy", "*.old")


@dataclass
class Usage:
    """Samples of the memory and open files of a process and its children."""

    memory: list[int] = field(default_factory=list)
    """Bytes in memory, each process's own."""
    files: list[int] = field(default_factory=list)
    """Open files and connections."""

    def measure(self, process: int) -> None:
        """Adds a sample, unless the process has ended."""
        memory, files = 0, 0
        for each in family(process):
            try:
                memory += each.memory_info().rss
                files += each.num_fds()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        if memory:
            self.memory.append(memory)
            self.files.append(files)


def family(process: int) -> list[psutil.Process]:
    """Lists a process and its descendants; empty when it has ended."""
    try:
        first = psutil.Process(process)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


class Rounds:
    """Repeated runs of the pipeline in one clone."""

    def __init__(self, folder: Path, flickr: FakeFlickr, rng: random.Random):
        self.clone, self.flickr, self.rng = Clone.make(folder), flickr, rng
        self.kills: Counter[str] = Counter()
        """The stages that were killed."""
        self.damaged: Counter[str] = Counter()
        """DVC's own files that kills left damaged, deleted as `tagrec check` advises."""
        self.peaks: list[int] = []
        """The most memory of each round, in bytes."""
        self.files: list[int] = []
        """The most open files of each round."""
        yaml = YAML()
        params = yaml.load((folder / "params.yaml").read_text())
        params |= {"source": "nus-wide", "recipe": "sample"}
        hosts = {"api_url": flickr.api_url, "photo_url": flickr.photo_url}
        params["sources"]["nus-wide"].update(hosts | QUICK | {"api_rate": 100.0, "photo_rate": 100.0})
        params["recipes"]["sample"] = {"refine": [{"keep": "core", "user": 2, "tag": 2}], "split": {"test_posts": 2}}
        params["extractors"]["image"] |= {"backbone": "squeezenet1_1", "input_size": 64}
        params["extractors"]["objects"]["input_size"] = 128
        params["training"] |= {"factors": 16, "epochs": 60}
        params["models"] = {name: params["models"][name] for name in MODELS}
        with (folder / "params.yaml").open("w") as file:
            yaml.dump(params, file)
        write_lists(folder / "data/nus-wide", flickr.photos)

    @property
    def artifacts(self) -> Path:
        return self.clone.folder / "artifacts/nus-wide"

    def forget(self) -> None:
        """Deletes all results, and the requests that the server remembers."""
        for name in ("artifacts/nus-wide", ".work", ".dvc/cache", ".dvc/tmp"):
            shutil.rmtree(self.clone.folder / name, ignore_errors=True)
        (self.clone.folder / "dvc.lock").unlink(missing_ok=True)
        self.flickr.asked.clear()

    def run(self, kills: int, mean_seconds: float) -> dict[str, str]:
        """Runs the pipeline from nothing while it is killed; returns the SHA-256 of its outputs by their names."""
        self.forget()
        usage, number = Usage(), 0
        while not self._attempt(usage, self.rng.expovariate(1 / mean_seconds) if number < kills else None):
            number += 1
            if number > 3 * kills + 3:
                raise RuntimeError(f"the pipeline does not end:\n{self._log.read_text()[-3000:]}")
        self.peaks.append(max(usage.memory))
        self.files.append(max(usage.files))
        return {
            str(path.relative_to(self.artifacts)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.artifacts.rglob("*"))
            if path.is_file() and path.name not in {".gitignore", "seconds.js"}
        }

    def leftovers(self) -> list[str]:
        """Lists temporaries of processes that have ended."""
        places = (self.artifacts, self.clone.folder / ".work")
        return [str(path) for place in places for pattern in LEFTOVERS for path in place.rglob(pattern)]

    @property
    def _log(self) -> Path:
        return self.clone.folder / "log.txt"

    def _attempt(self, usage: Usage, seconds: float | None) -> bool:
        """Runs `dvc repro` to its end, or until a moment at which it is killed; returns whether it ended well."""
        for name in damaged(self.clone.folder):
            (self.clone.folder / name).unlink()
            self.damaged[name] += 1
        with self._log.open("w") as log:
            process = subprocess.Popen(
                ["dvc", "repro", "report", "bundle"],
                cwd=self.clone.folder,
                env=environment() | {"FLICKR_API_KEY": KEY},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            end = None if seconds is None else time.monotonic() + seconds
            while process.poll() is None:
                usage.measure(process.pid)
                if end is not None and time.monotonic() > end:
                    self._kill(process.pid)
                    break
                time.sleep(0.2)
            if process.wait() and end is None:
                raise RuntimeError(f"the pipeline failed:\n{self._log.read_text()[-3000:]}")
        return process.returncode == 0

    def _kill(self, process: int) -> None:
        """Kills all processes of a run, or one that is not DVC's."""
        stages = [line.split("'")[1] for line in self._log.read_text().splitlines() if line.startswith("Running stage")]
        self.kills[stages[-1].partition("@")[0] if stages else "before any stage"] += 1
        below = family(process)[1:]
        if below and self.rng.random() < 0.5:
            try:
                self.rng.choice(below).kill()
            except psutil.NoSuchProcess:
                return  # It has ended by itself, and DVC continues.
        else:
            os.killpg(process, signal.SIGKILL)


class Clients(threading.Thread):
    """A client that requests suggestions and accepts them at a steady pace."""

    def __init__(self, client: Callable[[], Client | None], seed: int):
        super().__init__(daemon=True)
        self.client, self.rng = client, random.Random(seed)
        self.photos = [jpeg(number, 320, 240) for number in range(100)]
        self.confirmed: set[str] = set()
        self.answered = 0
        self.wrong: list[str] = []
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.2):
            if client := self.client():
                try:
                    self._ask(client)
                except requests.RequestException:
                    continue  # It was killed.

    def _ask(self, client: Client) -> None:
        photo, user = self.rng.choice(self.photos), f"{self.rng.randrange(12)}@N00"
        answer = client.suggest(photo, user=user)
        if answer.status_code != 200:
            self.wrong.append(f"{answer.status_code}: {answer.text[:200]}")
            return
        self.answered += 1
        tags = [each["tag"] for each in answer.json()["photos"][0]["suggestions"]][:2]
        post = {"id": str(uuid.uuid4()), "user": user, "photo": hash_of(photo), "tags": tags}
        answer = client.post("api/posts", json=post)
        if answer.status_code == 201:
            self.confirmed.add(post["id"])
        else:
            self.wrong.append(f"{answer.status_code}: {answer.text[:200]}")


class KilledService(threading.Thread):
    """A service that is killed and started again, on one journal."""

    def __init__(self, bundle: Path, journal: Path, seed: int):
        super().__init__(daemon=True)
        self.bundle, self.journal, self.rng = bundle, journal, random.Random(seed)
        self.client: Client | None = None
        self.kills = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            with command_process(self.bundle, self.journal) as running:
                self.client = running.client
                self.ended.wait(self.rng.expovariate(1 / 20))
                self.client = None
                running.kill()
                self.kills += 1


class Watch(threading.Thread):
    """Measures a process twice a second."""

    def __init__(self, process: int):
        super().__init__(daemon=True)
        self.process, self.usage, self.ended = process, Usage(), threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.5):
            self.usage.measure(self.process)


@contextmanager
def working(*threads: Clients | KilledService | Watch) -> Iterator[None]:
    """Runs threads for the duration of the block."""
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.ended.set()
        for thread in threads:
            thread.join(120)


def kept_posts(journal: Path) -> set[str]:
    """Reads the ids of the posts in a journal."""
    with sqlite3.connect(journal) as connection:
        return {post for (post,) in connection.execute("SELECT id FROM post")}


def soak(folder: Path, minutes: float, seed: int) -> list[str]:
    """Runs all, prints what was measured, and lists what is wrong."""
    wrong, started = [], time.monotonic()
    with serving(flaky_photos(160)) as flickr:
        rounds = Rounds(folder / "clone", flickr, random.Random(seed))
        expected = rounds.run(kills=0, mean_seconds=1)
        undisturbed = time.monotonic() - started
        print(f"undisturbed: {len(expected)} files in {undisturbed:.0f} s", flush=True)
        bundle = shutil.copytree(rounds.artifacts / "sample/bundle", folder / "bundle")
        journals = folder / "steady.sqlite", folder / "killed.sqlite"
        killed = KilledService(bundle, journals[1], seed)
        with command_process(bundle, journals[0]) as steady:
            asking = Clients(lambda: steady.client, seed + 1), Clients(lambda: killed.client, seed + 2)
            watch = Watch(steady.process.pid)
            with working(killed, *asking, watch):
                while time.monotonic() < started + 60 * minutes or len(rounds.peaks) < 2:
                    found = rounds.run(KILLS, undisturbed / 4)
                    wrong += different(expected, found) + [f"{path} is left over" for path in rounds.leftovers()]
                    print(f"round {len(rounds.peaks) - 1}: {rounds.kills.total()} kills so far", flush=True)
            if steady.stop():
                wrong.append("the steady service did not exit cleanly on request")
    first, *peaks = rounds.peaks
    stages = ", ".join(f"{stage} {count}" for stage, count in rounds.kills.most_common())
    print(f"time: {(time.monotonic() - started) / 60:.0f} min, rounds: {len(peaks)}")
    print(f"kills of the pipeline: {rounds.kills.total()} ({stages}), of the service: {killed.kills}")
    print(f"files of DVC's own that were damaged, and deleted as `tagrec check` advises: {dict(rounds.damaged)}")
    print(f"memory: {first / 1e6:.0f} MB undisturbed, {min(peaks) / 1e6:.0f} to {max(peaks) / 1e6:.0f} MB in rounds")
    print(f"open files: {rounds.files[0]} undisturbed, {min(rounds.files[1:])} to {max(rounds.files[1:])} in rounds")
    for name, client, journal in zip(("steady", "killed"), asking, journals, strict=True):
        wrong += [f"the {name} service answered {answer}" for answer in client.wrong]
        lost = client.confirmed - kept_posts(journal)
        wrong += [f"the {name} service confirmed post {post}, which is lost" for post in sorted(lost)]
        print(f"{name} service: {client.answered} photos, {len(client.confirmed)} posts, lost: {len(lost)}")
    return wrong + grown(watch.usage)


def different(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Lists the outputs whose bytes are not those of the undisturbed run."""
    names = sorted(name for name in expected | found if expected.get(name) != found.get(name))
    return [f"{name} has other bytes after kills" for name in names]


def grown(usage: Usage) -> list[str]:
    """Prints the resources that the steady service used, and lists those that grew."""
    (memory, last_memory), (files, last_files) = thirds(usage.memory), thirds(usage.files)
    print(f"its memory: {memory / 1e6:.0f} MB, in the last third {last_memory / 1e6:.0f} MB")
    print(f"its open files: {files:.0f}, in the last third {last_files:.0f}")
    wrong = ["the steady service's memory grew"] if last_memory > MAX_GROWTH * memory else []
    return wrong + (["the steady service's open files grew"] if last_files > files + 5 else [])


def thirds(numbers: Sequence[int]) -> tuple[float, float]:
    """Returns the medians of the second third of some numbers, after warming up, and of the last third."""
    third = max(1, len(numbers) // 3)
    return median(numbers[third : 2 * third] or numbers), median(numbers[-third:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong = soak(Path(folder), arguments.minutes, arguments.seed)
    for line in wrong:
        print(f"WRONG: {line}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
