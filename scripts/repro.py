"""Runs `dvc repro`, with faster ways to write dvc.lock, which changes after each stage, and to find what changed.

    python -m scripts.repro report bundle

DVC parses the whole file and writes all of it in Python, a second and a half each time for the models of
params.yaml. Here it is parsed in C, and only the text of stages that ran is made anew. The bytes are the same, and
plain `dvc repro` may run before or after.

Stages share what they depend on, and DVC reads that for each of them. Here params.yaml and dvc.lock are parsed
only if they changed, and a dependency is hashed once until a stage runs.

A second run in the same folder is refused before DVC finds its files in use.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import dvc.dependency.param
import dvc.dvcfile
from dvc.cli import main
from dvc.dependency import Dependency
from dvc.dvcfile import Lockfile
from dvc.stage import Stage
from dvc.utils.serialize import dumps_yaml, load_path, load_yaml
from dvc_data.hashfile.hash_info import HashInfo
from filelock import FileLock, Timeout

from pipeline.files.atomic import atomic
from project.explain import explain
from project.paths import WORK

_Content = TypeVar("_Content")
_LOAD_LOCK, _GET_HASH, _RUN = Lockfile._load, Dependency.get_hash, Stage.run

STAGES = "stages"
"""The section of dvc.lock that maps the names of stages to what they read and wrote."""


class LockWriter:
    """The writer of dvc.lock, which keeps the text of each stage until that stage changes."""

    def __init__(self) -> None:
        self.written: dict[str, tuple[Any, str]] = {}

    @contextmanager
    def modify(self, path: str, **_: Any) -> Iterator[dict[str, Any]]:
        """Yields the contents of the file to a block that changes them, and replaces the file when the block ends."""
        lock = load_yaml(path) if Path(path).exists() else {}
        yield lock
        with atomic(Path(path)) as temporary:
            temporary.write_text("".join(self.texts(lock)), encoding="utf-8")

    def texts(self, lock: Mapping[str, Any]) -> Iterator[str]:
        """Yields the text of the file in parts, a stage being one."""
        for section, value in lock.items():
            if section != STAGES or not value:
                yield dumps_yaml({section: value})
                continue
            yield f"{STAGES}:\n"
            for name, stage in value.items():
                known, text = self.written.get(name, (None, ""))
                if known != stage:
                    # Within its section: long lines are broken where they would be there.
                    text = dumps_yaml({STAGES: {name: stage}}).removeprefix(f"{STAGES}:\n")
                    self.written[name] = stage, text
                yield text


class OnceReader:
    """A reader of files that parses each again only when it changed. Nobody may change what it returns."""

    def __init__(self) -> None:
        self.parsed: dict[Path, tuple[tuple[int, ...], Any]] = {}

    def read(self, path: str, parse: Callable[[], _Content]) -> _Content:
        """Returns the content of a file, which `parse` reads."""
        path = Path(path).absolute()  # DVC uses relative and absolute paths of dvc.lock.
        found = path.stat()
        state = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        known, content = self.parsed.get(path, (None, None))
        if known != state:
            content = parse()
            self.parsed[path] = state, content
        return content

    def load_params(self, path: str, *arguments: Any, **settings: Any) -> Any:
        """Does what DVC's load_path does."""
        return self.read(path, lambda: load_path(path, *arguments, **settings))

    def load_lock(self, lock: Lockfile, **settings: Any) -> tuple[Any, str]:
        """Does what DVC's Lockfile does, which is asked for dvc.lock thrice."""
        if settings or not lock.exists():  # Settings are for those who change the content.
            return _LOAD_LOCK(lock, **settings)
        return self.read(lock.path, lambda: _LOAD_LOCK(lock))


class OnceHasher:
    """The hashes of dependencies, each computed once until a stage runs, which may write what others depend on."""

    def __init__(self) -> None:
        self.hashes: dict[tuple[str, str], HashInfo] = {}

    def get_hash(self, dependency: Dependency) -> HashInfo:
        """Does what DVC's Dependency does, which hashes a folder of code again for each stage that runs it."""
        key = dependency.protocol, dependency.fs_path
        if key not in self.hashes:
            self.hashes[key] = _GET_HASH(dependency)
        return self.hashes[key]

    def run(self, stage: Stage, *arguments: Any, **settings: Any) -> None:
        """Runs a stage as DVC's Stage does, and forgets the hashes."""
        try:
            _RUN(stage, *arguments, **settings)
        finally:
            self.hashes.clear()


def repro(arguments: Sequence[str]) -> int:
    """Runs `dvc repro` in this process, unless another run is at work here. Returns its exit code."""
    dvc.dvcfile.modify_yaml = LockWriter().modify
    reader, hasher = OnceReader(), OnceHasher()
    dvc.dependency.param.load_path = reader.load_params
    Lockfile._load = lambda lock, **settings: reader.load_lock(lock, **settings)
    Dependency.get_hash = lambda dependency: hasher.get_hash(dependency)
    Stage.run = lambda stage, *arguments, **settings: hasher.run(stage, *arguments, **settings)
    dvc.dvcfile.logger.setLevel(logging.WARNING)  # Or each stage would end with a line on dvc.lock.
    try:
        WORK.mkdir(exist_ok=True)
        with FileLock(WORK / "repro.lock", timeout=0):
            return main(["repro", *arguments])
    except Timeout:
        sentence = "Another `make repro` is running in this folder: wait until it ends, or stop it."
    except OSError as error:
        sentence = explain(error)
    print(f"Error: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(repro(sys.argv[1:]))
