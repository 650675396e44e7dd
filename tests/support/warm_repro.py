"""A process that has imported DVC and all stages, and forks for each run of the pipeline and for each stage in it.

A line of JSON on standard input asks for a run: the folder, and what is to be brought up to date. The line that answers
has the exit code and all that was printed.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SECONDS = 500
"""The time that a run may take."""
HEAVY = (
    "matplotlib.pyplot",
    "pipeline.features.networks.torchvision.backbone",
    "pipeline.report.page",
    "pipeline.training.bpr.loops.cpu",
    "pipeline.training.bpr.train",
)
"""Modules that stages import when they need them."""


class WarmRepro:
    """The process, for those who ask for runs."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.warm_repro"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # A pool of its own in each stage would import all of it again.
            env=os.environ | {"TAGREC_WORKERS": "0"},
        )

    def run(self, folder: Path, *targets: str) -> tuple[int, str]:
        """Brings stages up to date in a folder. Returns the exit code and all that was printed."""
        self._process.stdin.write(json.dumps([str(folder), *targets]) + "\n")
        self._process.stdin.flush()
        return tuple(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()


def main() -> None:
    """Answers requests until standard input ends."""
    warm_up()
    for line in sys.stdin:
        folder, *targets = json.loads(line)
        with tempfile.TemporaryFile() as output:
            code = forked(lambda: run_here(folder, targets, output.fileno()))  # noqa: B023 (runs at once)
            output.seek(0)
            sys.stdout.write(json.dumps([code, output.read().decode(errors="replace")]) + "\n")
        sys.stdout.flush()


def warm_up() -> None:
    """Imports what takes long. No threads: a fork would lose them."""
    from dvc.stage import run

    import_module("pipeline.features.networks.ultralytics.library").import_ultralytics()
    for name in (*HEAVY, "dvc.commands.repro", "scripts.repro"):
        import_module(name)
    for file in (ROOT / "stages").glob("[!_]*.py"):
        import_module(f"stages.{file.stem}")
    run._run = run_stage


def run_here(folder: str, targets: Sequence[str], output: int) -> int:
    """Runs the pipeline in this process, which it changes for good. Returns the exit code."""
    from scripts.repro import repro

    for stream in (1, 2):
        os.dup2(output, stream)
    os.chdir(folder)
    signal.alarm(SECONDS)
    return repro(targets)


def run_stage(_: str, command: str, env: dict[str, str], **__: Any) -> None:
    """Stands for DVC's function that runs `python -m stages.NAME …` in a shell."""
    from dvc.stage.exceptions import StageCmdFailedError

    module, *arguments = command.removeprefix("python -m ").split()

    def run_here() -> int:
        os.environ.update(env)
        import_module(module).app(arguments)
        return 0

    if code := forked(run_here):
        raise StageCmdFailedError(command, code)


def forked(run: Callable[[], int]) -> int:
    """Runs a function in a fork of this process. Returns its exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    if (child := os.fork()) == 0:
        code = 1
        try:
            code = run()
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
