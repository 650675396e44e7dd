"""Single bits that flip in what a stage or command reads, and what must come of it."""

import hashlib
import json
import os
import random
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.fault_cases import Case
from tests.support.small_project import Project, stages
from tests.support.zygote import NEVER, Outcome

OURS = re.compile(r"(artifacts|\.work)/.*|.*\.sqlite")
"""Paths of what stages and commands write, and read again."""
WORK = ".work/"
"""The folder of kept work, which is repaired without the user."""
TAKEN = re.compile(rf"(remove|rmdir|rename) {re.escape(WORK)}.*(?<!\.tmp)")
"""Changes that take kept work away, or move it to where it is a result."""
CHANGING = re.compile(r"\(\d+\.\d s\)|\d+\.\d+/s|:\d{4,5}\b|\d+ % \w+")
"""Output that differs from run to run: seconds, rates, ports."""


def flip(path: Path, rng: random.Random) -> int:
    """Flips a bit of a file, which keeps its times, as on a disk that decays. Returns the bit's number."""
    data, status = bytearray(path.read_bytes()), path.stat()
    bit = rng.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return bit


def note(project: Project) -> dict[str, str]:
    """Writes a dvc.lock with the hashes of all outputs that are files. Returns the stage of each command."""
    lock, names = {}, {}
    for address, (commands, outs) in stages(project.folder).items():
        name = address.rpartition(":")[2]  # Before the colon is the way to dvc.yaml.
        names |= dict.fromkeys(commands, name)
        files = [out for out in outs if (project.folder / out).is_file()]
        lock[name] = {"cmd": commands, "outs": [{"path": out, "md5": md5(project.folder / out)} for out in files]}
    (project.folder / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": lock}))
    return names


def note_files(folder: Path, *names: Path) -> None:
    """Writes a dvc.lock with the hashes of some files of a folder."""
    outs = [{"path": str(name), "md5": md5(folder / name)} for name in names]
    (folder / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": {"some": {"outs": outs}}}))


def md5(path: Path) -> str:
    """Returns the hash by which DVC knows a file."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def keep_work(project: Project, commands: Mapping[str, str], place: Path) -> None:
    """Gives a project the work that its stages keep: each is killed before it takes the first of it away."""
    with project.copied(place) as copy:
        for command in commands:
            changes = copy.run(command).changes
            taken = (at for at, change in enumerate(changes) if TAKEN.fullmatch(change))
            copy.run(command, at=next(taken, NEVER))
            shutil.copytree(copy.folder / WORK, project.folder / WORK, dirs_exist_ok=True)


@dataclass(frozen=True)
class Reading:
    """A case, and what comes of it on files that are whole."""

    project: Project
    case: Case
    stage: str
    """The name under which DVC runs it, empty for a command."""
    place: Path
    """Where a copy of the project is made for each run."""
    good: Outcome
    after: Mapping[str, str]
    """The files after the run, each with its hash."""

    @classmethod
    def of(cls, project: Project, case: Case, stage: str, place: Path) -> Self:
        """Runs a case on files that are whole."""
        with project.copied(place) as copy:
            copy.prepare(case.before)
            good = copy.run(case.command, until=case.until, stage=stage)
            assert good.code == 0, f"{case.command}: {good.err}"
            return cls(project, case, stage, place, good, copy.contents())

    @property
    def files(self) -> list[str]:
        """The files that were read, of those that stages and commands write."""
        read = {name for name in self.good.reads if OURS.fullmatch(name)}
        return sorted(name for name in read if (self.project.folder / name).is_file())

    def strike(self, name: str, rng: random.Random) -> str | None:
        """Flips a bit in a file and runs the case. Returns what is wrong, None where all is as it should be."""
        with self.project.copied(self.place) as copy:
            copy.prepare(self.case.before)
            bit = flip(copy.folder / name, rng)
            done = copy.run(self.case.command, until=self.case.until, stage=self.stage)
            now = copy.contents()
        wrong = self._judge(name, done, now)
        return wrong and f"{self.case.command}: bit {bit} of {name}: {wrong}"

    def _judge(self, name: str, done: Outcome, now: Mapping[str, str]) -> str | None:
        *_, last = done.err.splitlines() or [""]
        if "Traceback" in done.err:
            return done.err
        if done.code == 1 and not name.startswith(WORK):
            return None if last.startswith("Error: ") else f"its sentence is {last!r}"
        if done.code != 0:
            return f"it ended with {done.code}: {done.err}"
        differing = {path for path, _ in now.items() ^ self.after.items()} - {name}
        if differing:
            return f"it was used: {', '.join(sorted(differing))} differ"
        if CHANGING.sub("", done.out) != CHANGING.sub("", self.good.out):
            return f"it was used: {done.out!r} is not {self.good.out!r}"
        return None
