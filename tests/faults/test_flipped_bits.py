"""A bit flips in whatever a stage or command reads: one sentence, or the same bytes; it is never used."""

import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import DamagedError
from pipeline.files.seal import MARK, check_seal
from tests.support.fault_cases import cases
from tests.support.flipped_bits import Reading, flip, keep_work, note
from tests.support.small_project import Project

SEED = 16
SAMPLE = 8
"""Cases that are tried on every run of the tests, each with one file that it reads."""
TRIES = 50
"""Bits that flip in each file, at least."""


@pytest.fixture(scope="session")
def noted(project: Project, tmp_path_factory) -> Iterator[tuple[Project, dict[str, str]]]:
    """The project as DVC leaves it: its files are noted, and kept work is there."""
    with project.copied(tmp_path_factory.mktemp("noted") / "project") as copy:
        yield copy, note(copy)


def test_each_file_with_a_seal_is_checked_in_each_bit(project: Project, tmp_path):
    rng, damaged = random.Random(SEED), tmp_path / "damaged"
    files = {path: path.read_bytes() for path in (project.folder / "artifacts").rglob("*") if path.is_file()}
    sealed = {path: whole for path, whole in files.items() if MARK in whole}
    assert not {path for path in files.keys() - sealed if path.suffix == ".parquet"}
    for path, whole in sealed.items():
        check_seal(path)
        for _ in range(TRIES):
            damaged.write_bytes(whole)
            flip(damaged, rng)
            with pytest.raises(DamagedError):
                check_seal(damaged)


def test_some_flipped_bits_are_not_used(noted, place):
    project, names = noted
    rng, wrong = random.Random(SEED), []
    for case in rng.sample([*cases(project)], SAMPLE):
        reading = Reading.of(project, case, names.get(case.command, ""), place)
        if reading.files:
            wrong.append(reading.strike(rng.choice(reading.files), rng))
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.slow
@pytest.mark.timeout(14_400)
def test_no_flipped_bit_is_used(noted, place: Path, capsys):
    project, names = noted
    keep_work(project, names, place)
    rng, wrong, number = random.Random(SEED), [], 0
    readers: dict[str, list[Reading]] = defaultdict(list)
    for case in cases(project):
        reading = Reading.of(project, case, names.get(case.command, ""), place)
        for name in reading.files:
            readers[name].append(reading)
    for name, readings in readers.items():
        tries = [reading for reading in readings for _ in range(-(-TRIES // len(readings)))]
        found = [*filter(None, (reading.strike(name, rng) for reading in tries))]
        with capsys.disabled():
            print(f"\n{len(tries) - len(found):,} of {len(tries):,} bits  {name}", end="")  # noqa: T201
        wrong += found
        number += len(tries)
    with capsys.disabled():
        print(f"\n{number:,} bits in {len(readers)} files: {len(wrong):,} wrong")  # noqa: T201
    assert not wrong, "\n".join(wrong)
