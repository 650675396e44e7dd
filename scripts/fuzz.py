"""Runs the tests of tests/fuzz on new examples, in turns, until time is up; `make fuzz` calls it.

A test that fails is not run again; its example is printed, with the code that reproduces it.
"""

import os
import subprocess
import sys
import time
from typing import Annotated

import typer

from pipeline.errors import InputError
from project.command import command

EXAMPLES = 200
"""Examples of a test in one turn."""
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def main(
    minutes: Annotated[float, typer.Option(help="Minutes after which no further turn begins.", min=0.0)] = 30.0,
) -> str:
    end, seed, failed = time.monotonic() + 60 * minutes, time.time_ns(), []
    tests = list_tests()
    left, turns = list(tests), 0
    while left and (turns == 0 or time.monotonic() < end):
        for test in list(left):
            done = run(test, seed + turns)
            if done.returncode:
                left.remove(test)
                failed.append(test)
                print(done.stdout, flush=True)
        turns += 1
        print(f"{turns * EXAMPLES:,} new examples of each of {len(left)} tests (first seed {seed}).", flush=True)
    if failed:
        raise InputError(f"{len(failed)} of {len(tests)} tests failed: {', '.join(failed)}.")
    return f"{len(tests)} tests passed, each on {turns * EXAMPLES:,} new examples"


def list_tests() -> list[str]:
    """Lists the tests by pytest's names."""
    listed = subprocess.run([*PYTEST, "--collect-only", "tests/fuzz"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if "::" in line]


def run(test: str, seed: int) -> subprocess.CompletedProcess[str]:
    """Runs a test on examples generated from a seed."""
    environment = os.environ | {"FUZZ_EXAMPLES": str(EXAMPLES)}
    return subprocess.run(
        [*PYTEST, f"--hypothesis-seed={seed}", test], env=environment, capture_output=True, text=True, check=False
    )


app = command(main, stage=False)

if __name__ == "__main__":
    app()
