"""Runs of a stage or command on a disk that fails, or until a kill, and what must be left of them."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Self, get_args

from tests.support.faulty_disk import UNSEEN, Fault
from tests.support.small_project import EXAMPLES, Project, stages
from tests.support.zygote import Outcome


@dataclass(frozen=True)
class Case:
    """A command, and what must be so before it runs."""

    command: str
    before: tuple[str, ...] = ()
    """Commands that must have run."""
    outs: tuple[str, ...] = ()
    """Outputs that DVC deletes before it runs."""
    until: str = ""
    """The words on standard output after which it is interrupted."""


def cases(project: Project) -> Iterator[Case]:
    """Yields all stages as DVC resolves them, and all examples of commands."""
    for commands, outs in stages(project.folder).values():
        for command in commands:
            # Of several commands each writes a part of the outputs.
            yield Case(command, outs=tuple(outs) if len(commands) == 1 else ())
    who = project.user()
    for examples in EXAMPLES.values():
        for example in examples:
            before = tuple(command.replace("WHO", who) for command in example.before)
            yield Case(example.command.replace("WHO", who), before, until=example.until)


@dataclass
class FaultyRuns:
    """The runs of a case whose disk fails, or that is killed, at one change after another."""

    project: Project
    case: Case
    place: Path
    """Where a copy of the project is made for each run."""
    after: Mapping[str, str]
    """The files after a run on a good disk, each with its hash."""
    changes: int
    """The number of changes that such a run makes."""
    _ends: dict[int, list[str]] = field(default_factory=dict)
    """The faults after the next run, by what the first one had left: many leave the same."""

    @classmethod
    def of(cls, project: Project, case: Case, place: Path) -> Self:
        """Runs a case on a good disk."""
        with project.copied(place) as copy:
            copy.prepare(case.before)
            done = copy.run(case.command, until=case.until)
            assert done.code == 0, f"{case.command}: {done.err}"
            return cls(project, case, place, copy.contents(), len(_changes(done)))

    def strike(self, fault: Fault, at: int) -> list[str] | None:
        """Runs the case on a failing disk, or kills it; then runs it again on a good disk.

        Returns what is wrong, in words; None where the run ended before that change. Before it is killed it lacks its
        outputs, as in a run of DVC; on a failing disk it has those of an earlier run, which must stay whole.
        """
        with self.project.copied(self.place) as copy:
            copy.prepare(self.case.before, self.case.outs if fault == "kill" else ())
            before = copy.contents()
            struck = copy.run(self.case.command, fault=fault, at=at, until=self.case.until)
            changes = _changes(struck)
            if len(changes) <= at:
                return None
            refused = changes[at : at + 1] if fault == "broken" else changes[at:]
            wrong = [] if fault == "kill" else [*self._refused(copy, struck, refused, before)]
            if fault == "full" or (fault == "broken" and not changes[at].startswith(("remove", "rmdir"))):
                wrong += [f"it left {path}" for path in copy.temporaries()]
            finished = struck.code == 0 and copy.contents() == self.after
            state = copy.state()
            if not finished and state not in self._ends:
                self._ends[state] = [*self._next(copy)]
            wrong += self._ends.get(state, [])
        return [f"{self.case.command}, {fault}, {at}: {changes[at]}: {each}" for each in wrong]

    def strike_each(self) -> "Tally":
        """Strikes at every change with each fault."""
        tally = Tally(self.case.command)
        for fault in get_args(Fault):
            for at in count():
                if (found := self.strike(fault, at)) is None:
                    break
                tally.struck[fault] += 1
                tally.good[fault] += not found
                tally.wrong += found
        return tally

    def _refused(
        self, copy: Project, outcome: Outcome, refused: Sequence[str], before: Mapping[str, str]
    ) -> Iterator[str]:
        """Yields what is wrong about a run on a failing disk: its sentence, and what became of the old files.

        refused: the changes that failed; the sentence may be about a later one that matters more.
        """
        names, now = {name for change in refused for name in _names(change.partition(" ")[2])}, copy.contents()
        # Set aside until the new folder is there, when the file system became read-only before that.
        whole = {re.sub(r"/\.([^/]+)\.old\.tmp/", r"/\1/", name): digest for name, digest in now.items()}
        for name, digest in before.items():
            if whole.get(name) not in (digest, self.after.get(name)):
                yield f"{name} is {'damaged' if name in now else 'lost'}"
        *_, last = outcome.err.splitlines() or [""]
        named = any(name in outcome.err for name in names)
        if "Traceback" in outcome.err:
            yield outcome.err
        elif outcome.code == 1:
            if not named or not last.startswith("Error: "):
                yield f"its sentence is {last!r}"
        elif outcome.code != 0 or (now != self.after and not named):
            yield f"it ended with {outcome.code}, and said {outcome.err!r}"

    def _next(self, copy: Project) -> Iterator[str]:
        """Yields what is wrong after the next run, on a good disk."""
        again = copy.run(self.case.command, until=self.case.until)
        if again.code != 0:
            yield f"the next run ended with {again.code}: {again.err}"
        for path in copy.temporaries():
            yield f"the next run left {path}"
        for path, _ in sorted(copy.contents().items() ^ self.after.items()):
            yield f"{path} differs after the next run"


@dataclass
class Tally:
    """A case's strikes by their fault, and what was wrong."""

    command: str
    struck: Counter[Fault] = field(default_factory=Counter)
    good: Counter[Fault] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """A row of a table: how many of how many strikes ended well."""
        cells = (f"{fault} {self.good[fault]:,} of {self.struck[fault]:,}" for fault in get_args(Fault))
        return "  ".join([*(f"{cell:<20}" for cell in cells), self.command])


def _changes(outcome: Outcome) -> list[str]:
    return [line for line in outcome.changes if not line.startswith(UNSEEN)]


def _names(paths: str) -> list[str]:
    """Lists what a sentence may name: the file itself, its folder, a folder that is replaced, a database."""
    places = [Path(path).parts for path in paths.split(" → ")]
    names = [name for parts in places for name in (*parts[-2:], *(part for part in parts if part.endswith(".tmp")))]
    names = [re.sub(r"^\.(.*?)(\.\d+|\.old|\.copy)?\.tmp$", r"\1", name) for name in names]
    return [re.sub(r"(\.sqlite)-(journal|shm|wal)$", r"\1", name) for name in names]
