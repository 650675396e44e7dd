"""A process that has imported what stages and commands need, and forks for each run: a run costs its work alone.

Lines of JSON on standard input ask for runs; the line that answers each has what came out.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

import tagrec
from pipeline.data import shards
from pipeline.features.extraction import vector_files
from pipeline.features.networks.ultralytics.library import import_ultralytics
from pipeline.training.bpr.checkpoint import Checkpoint
from tests.support.faulty_disk import UNSEEN, Fault, FaultyDisk

ROOT = Path(__file__).parents[2]
SECONDS = 120
"""The time that a run may take: one that hangs is killed by SIGALRM."""
PEEK = os.WEXITED | os.WNOHANG | os.WNOWAIT
"""Looks whether a process has ended, and leaves it to be waited for."""
NEVER = sys.maxsize
"""The number of a change that no run gets to."""


@dataclass(frozen=True)
class Request:
    """A run of a stage or command.

    command: as in dvc.yaml, `python -m stages.tune fm`, or as typed, `tagrec suggest …`.
    folder: the folder of the project that it runs in.
    fault, at: what happens to its disk at which change.
    until: the words on standard output after which it is interrupted, for a command that runs until then.
    stage: the name of the stage, where it runs as DVC runs it.
    """

    command: Sequence[str]
    folder: str
    fault: Fault = "kill"
    at: int = NEVER
    until: str = ""
    stage: str = ""


@dataclass(frozen=True)
class Outcome:
    """The end of a run: its exit code (negative: a signal), its output, the changes that it began, and reads.

    reads: the files in the folder that Python opened to read.
    modules: what it imported, when it came to its end.
    """

    code: int
    out: str
    err: str
    changes: Sequence[str]
    reads: Sequence[str]
    modules: Sequence[str]

    @property
    def unseen(self) -> list[str]:
        """The files that something else than Python wrote."""
        return [line for line in self.changes if line.startswith(UNSEEN)]


def main() -> None:
    """Answers requests until standard input ends."""
    warm_up()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(asdict(run(Request(**json.loads(line))))) + "\n")
        sys.stdout.flush()


def warm_up() -> None:
    """Imports what takes long, and lets tiny work be saved in several parts. No threads: a fork would lose them."""
    import_ultralytics()
    for name in ("matplotlib.pyplot", "torchvision", "pipeline.report.page"):
        import_module(name)
    for folder in ("stages", "commands"):
        for file in (ROOT / folder).glob("[!_]*.py"):
            import_module(f"{folder}.{file.stem}")
    shards.PHOTOS_PER_SHARD, vector_files.SECONDS, Checkpoint.due = 12, 0.0, lambda _: True


def run(request: Request) -> Outcome:
    """Runs a command in a process of its own."""
    outputs = [os.memfd_create(name) for name in Outcome.__annotations__ if name != "code"]
    if (child := os.fork()) == 0:
        os._exit(run_here(request, *outputs))
    while request.until and os.waitid(os.P_PID, child, PEEK) is None:
        time.sleep(0.02)
        if request.until in _contents(outputs[0]):
            os.kill(child, signal.SIGINT)
            break
    _, status = os.waitpid(child, 0)
    out, err, *lines = map(_contents, outputs)
    for number in outputs:
        os.close(number)
    outcome = Outcome(os.waitstatus_to_exitcode(status), out, err, *map(str.splitlines, lines))
    for name in outcome.modules:  # The next run finds them imported.
        with suppress(ImportError):  # Some have names that only other modules know.
            import_module(name)
    return outcome


def run_here(request: Request, out: int, err: int, changes: int, reads: int, modules: int) -> int:
    """Runs a command in this process, which it changes for good. Returns the exit code."""
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.chdir(request.folder)
    signal.alarm(SECONDS)
    if request.stage:
        os.environ["DVC_STAGE"] = request.stage
    FaultyDisk(Path(request.folder), request.fault, request.at, changes, reads).install()
    code, known = 0, set(sys.modules)
    try:
        if request.command[0] == "tagrec":
            tagrec.build_app(ROOT / "commands")(request.command[1:], prog_name="tagrec")
        else:
            import_module(request.command[2]).app(request.command[3:])
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(modules, "\n".join(name for name in sys.modules if name not in known).encode())
    return code


def _contents(number: int) -> str:
    size = os.fstat(number).st_size
    return os.pread(number, size, 0).decode(errors="replace")


if __name__ == "__main__":
    main()
