"""Each write of each stage and command fails, and each is the last before a kill: nothing is lost, nothing is silent.

A run on a failing disk ends in one sentence that names the file, and the old result is whole; the next run, on a good
disk, gives the same bytes as if nothing had been, and no temporary file is left.
"""

import random
from pathlib import Path

import pytest

from tests.support.fault_cases import FaultyRuns, cases
from tests.support.faulty_disk import ERRORS
from tests.support.small_project import EXAMPLES, Project

ROOT = Path(__file__).parents[2]
SEED = 16
SAMPLE = 8
"""Cases that are tried on every run of the tests, each at two changes."""


def test_each_command_has_an_example():
    assert set(EXAMPLES) == {file.stem for file in (ROOT / "commands").glob("[!_]*.py")}


def test_some_writes_fail_and_some_kills(project: Project, place):
    rng, wrong = random.Random(SEED), []
    for case in rng.sample([*cases(project)], SAMPLE):
        runs = FaultyRuns.of(project, case, place)
        for fault in ("kill", rng.choice([*ERRORS])):
            if runs.changes:
                wrong += runs.strike(fault, rng.randrange(runs.changes)) or []
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_every_write_fails_and_every_kill(project: Project, place, subtests, capsys):
    for case in cases(project):
        with subtests.test(case.command):
            tally = FaultyRuns.of(project, case, place).strike_each()
            with capsys.disabled():
                print(f"\n{tally}")  # noqa: T201
            assert not tally.wrong, "\n".join(tally.wrong)
