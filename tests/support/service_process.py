"""The service in a process of its own, which may be killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.service import TOKEN, Client

ROOT = Path(__file__).parents[2]
FAKE = """
import asyncio, sys
from pathlib import Path
from pipeline.recommend.service.limits import Limits
from pipeline.recommend.service.server import Address, serve
from tests.support.fake_recommender import FakeRecommender

address = Address(port=0, token=sys.argv[2])
started = lambda url: print("Open", url, flush=True)
asyncio.run(serve(FakeRecommender(seconds=float(sys.argv[3])), Path(sys.argv[1]), address, Limits(), started))
"""


@dataclass(frozen=True)
class Running:
    """A service's process, and a client of it."""

    process: subprocess.Popen
    client: Client

    def kill(self) -> None:
        """Ends the process as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self) -> int:
        """Asks the process to end; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def fake_process(journal: Path, seconds: float = 0.0) -> Iterator[Running]:
    """A service with a fake recommender, whose batches take some seconds."""
    with _process(["-c", FAKE, str(journal), TOKEN, str(seconds)], journal) as running:
        yield running


@contextmanager
def command_process(bundle: Path, journal: Path) -> Iterator[Running]:
    """The command that serves a bundle."""
    arguments = ["--bundle", str(bundle), "--journal", str(journal), "--port", "0", "--token", TOKEN, "--device", "cpu"]
    with _process(["-m", "tagrec", "serve", *arguments], journal) as running:
        yield running


@contextmanager
def _process(arguments: Sequence[str], journal: Path) -> Iterator[Running]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = next((line.split()[1] for line in process.stdout if line.startswith("Open ")), None)
        assert url, "the service did not start"
        yield Running(process, Client(url, journal))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
