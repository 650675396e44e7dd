"""A journal of writes, from which the last run is taken back byte for byte.

Each run has a file in the journal's folder, with a line for each change: the SHA-256 of its JSON, then the JSON. A line
is on the disk before its file is changed, and holds the bytes that the change removes: few, because a change leaves
most of a photo as it is.
"""

import base64
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from stat import S_ISREG
from typing import IO, Literal, Self

from pipeline.errors import InputError
from pipeline.files.atomic import reported_as

_NAME = re.compile(r"[0-9]{6,}\.jsonl")
"""The name of a run's file: its number."""


@dataclass(frozen=True)
class Write:
    """A change of one file, as a line of the journal.

    path: the file, absolute.
    before: the SHA-256 of its bytes before the change, None where it did not exist.
    after: the SHA-256 of its bytes after the change.
    modified: the time of its last modification before the change, in nanoseconds.
    head, tail: the numbers of bytes at its start and end that stay.
    taken: the bytes between them before the change, in base 64.
    """

    path: str
    before: str | None
    after: str
    modified: int | None
    head: int
    tail: int
    taken: str

    @classmethod
    def between(cls, path: Path, old: bytes | None, new: bytes) -> Self:
        """Describes the change of a file from its old bytes to new ones."""
        before, modified = (None, None) if old is None else (_hash(old), path.stat().st_mtime_ns)
        old = old or b""
        head = _common(old, new)
        tail = _common(old[head:][::-1], new[head:][::-1])
        taken = base64.b64encode(old[head : len(old) - tail]).decode("ascii")
        return cls(str(path), before, _hash(new), modified, head, tail, taken)

    def undone(self, new: bytes) -> bytes:
        """Returns the bytes before the change from those after it."""
        return new[: self.head] + base64.b64decode(self.taken) + new[len(new) - self.tail :]


@dataclass(frozen=True)
class Undone:
    """The result of taking a run back.

    restored: the number of files that have their earlier bytes back.
    changed: the files that somebody changed since, which stay as they are.
    missing: the files that are not where they were: deleted, moved, or on a disk that is not there.
    kept: the run's file, which stays while files are missing; None when the run is taken back.
    runs: the number of earlier runs that can be taken back as well.
    """

    restored: int
    changed: list[Path]
    missing: list[Path]
    kept: Path | None
    runs: int


class Journal:
    """The journal in a folder."""

    def __init__(self, folder: Path):
        self._folder = folder

    @contextmanager
    def run(self) -> Iterator["Run"]:
        """Opens a run. Raises InputError when another one is open, or being taken back."""
        with self._locked():
            last = max(map(_number, self._runs()), default=0)
            run = Run(self._folder / f"{last + 1:06}.jsonl")
            try:
                yield run
            finally:
                run.close()

    def undo(self) -> Undone:
        """Takes the last run back, as far as its files are there: it stays while one is missing.

        A run that wrote nothing does not count. Raises InputError when there is no other, when a run is open, and when
        lines of its file are damaged; OSError when a file cannot be restored now: then the run stays, to be taken back
        again. All other files are restored before.
        """
        with self._locked():
            runs = [run for run in self._runs() if run.stat().st_size]
            while runs:
                last = runs.pop()
                writes, damaged = _read(last)
                if writes or damaged:
                    return _take_back(last, writes, damaged, len(runs))
                last.unlink()
            raise InputError("There is no write to take back.")

    def _runs(self) -> list[Path]:
        """Lists the files of the runs, the last one last. Other files in the folder are somebody else's."""
        return sorted((path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)), key=_number)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # The system unlocks it when this process is killed.
            except BlockingIOError:
                raise InputError("Another run is writing, or being taken back: wait until it ends.") from None
            yield


class Run:
    """The writes of one run. Its file appears with the first of them."""

    def __init__(self, path: Path):
        self.path = path
        self._file: IO[bytes] | None = None
        self._last = 0
        """Where the last line begins."""

    def write(self, path: Path, old: bytes | None, new: bytes, keep_time: bool = False) -> None:
        """Notes a change, then makes it: at every moment the file has its old bytes or the new ones.

        path: the file; a link is followed.
        old: its bytes until now, None for a new file.
        keep_time: whether its time of modification stays.
        """
        path = Path(os.path.realpath(path))
        write = Write.between(path, old, new)
        text = json.dumps(asdict(write)).encode("ascii")
        self._note(b"%s %s\n" % (_hash(text).encode("ascii"), text))
        try:
            _replace(path, new, write.modified if keep_time else None)
        except OSError:
            with suppress(OSError):  # The first error is the one to report.
                if _hash_of(path) == write.before:
                    self._forget()
            raise

    def close(self) -> None:
        """Closes the run's file, and deletes it when nothing was written."""
        if self._file is not None:
            with reported_as(self.path):
                self._file.close()
                if self.path.stat().st_size == 0:
                    self.path.unlink()

    def _note(self, line: bytes) -> None:
        """Adds a line whole, or leaves the file without it."""
        with reported_as(self.path):
            if self._file is None:
                self._file = self.path.open("xb", buffering=0)  # A buffer would be written once more at the end.
            self._last = self._file.tell()
            try:
                while line:
                    line = line[self._file.write(line) :]
                os.fsync(self._file.fileno())
            except OSError:
                with suppress(OSError):  # The first error is the one to report.
                    self._forget()
                raise

    def _forget(self) -> None:
        """Removes the last line, of a write that was not made."""
        self._file.seek(self._last)
        self._file.truncate()


def _number(run: Path) -> int:
    return int(run.stem)


def _take_back(run: Path, writes: list[Write], damaged: list[int], runs: int) -> Undone:
    """Takes back the writes of a run, and deletes its file or sets it aside unless it is needed again."""
    found, failures = defaultdict(set), []
    for write in reversed(writes):
        try:
            found[_restore(write)].add(Path(write.path))
        except OSError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    missing = found["missing"]
    if damaged and not missing:
        aside = _set_aside(run)
        raise InputError(
            f"Line {damaged[0]} of {aside} is damaged, so that its file stays as it is; those of the other "
            "lines are restored."
        )
    if not missing:
        run.unlink()
    restored = found["restored"] - found["changed"]
    return Undone(len(restored), sorted(found["changed"]), sorted(missing), run if missing else None, runs)


def _set_aside(run: Path) -> Path:
    """Renames a damaged run to a name that no other one has, and returns it."""
    names = (run.with_suffix(f".{number}.damaged" if number > 1 else ".damaged") for number in count(1))
    return run.replace(next(name for name in names if not os.path.lexists(name)))


def _read(run: Path) -> tuple[list[Write], list[int]]:
    """Reads a run's writes, and the numbers of lines that are damaged.

    A line that a kill cut short is left out, because its write was not made.
    """
    *lines, rest = run.read_bytes().split(b"\n")
    if _is_whole(rest[:-1]):  # Only the line's end is damaged.
        lines.append(rest[:-1])
    writes = [Write(**json.loads(line.partition(b" ")[2])) for line in lines if _is_whole(line)]
    return writes, [number for number, line in enumerate(lines, start=1) if not _is_whole(line)]


def _is_whole(line: bytes) -> bool:
    """Recognises a line that begins with the hash of the rest."""
    digits, _, text = line.partition(b" ")
    return digits == _hash(text).encode()


def _restore(write: Write) -> Literal["restored", "as before", "changed", "missing"]:
    """Gives a file the bytes that it had before a write, and returns how it was found."""
    path = Path(write.path)
    try:
        with reported_as(path, _temporary(path)):
            _temporary(path).unlink(missing_ok=True)
        if not S_ISREG(path.stat().st_mode):
            return "changed"
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        # A new file is a sidecar. Where its photo is not there either, both are elsewhere.
        return "as before" if write.before is None and os.path.lexists(path.with_suffix("")) else "missing"
    if _hash(data) == write.before:  # The run, or an earlier attempt to take it back, was killed.
        return "as before"
    if _hash(data) != write.after:
        return "changed"
    if write.before is None:
        path.unlink()
    else:
        _replace(path, write.undone(data), write.modified)
    return "restored"


def _replace(path: Path, data: bytes, modified: int | None) -> None:
    """Replaces a file's bytes and keeps its mode and, where it is given, its time of modification."""
    temporary = _temporary(path)
    try:
        with reported_as(path, temporary):
            temporary.unlink(missing_ok=True)  # Of a killed run; or a link to another file.
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                shutil.copystat(path, temporary)
                if modified is None:
                    os.utime(temporary)
                else:
                    os.utime(temporary, ns=(path.stat().st_atime_ns, modified))
            temporary.replace(path)
    except BaseException:
        with suppress(OSError):  # The first error is the one to report.
            temporary.unlink(missing_ok=True)
        raise


def _temporary(path: Path) -> Path:
    """Returns a name that a later run finds again, so that nothing of a killed one is left."""
    return path.with_name(f".{_hash(os.fsencode(path.name))[:16]}.keywords-new")


def _common(a: bytes, b: bytes) -> int:
    """Counts the bytes at the start of two texts that are equal."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _hash_of(path: Path) -> str | None:
    """Returns the hash of a file's bytes, None where it does not exist."""
    return _hash(path.read_bytes()) if path.exists() else None


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
