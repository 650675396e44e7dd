"""A project of a few drawn photos with all its results, and runs of its stages and commands on a disk that fails."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from ruamel.yaml import YAML

from pipeline.data.schema import USER
from pipeline.files.parquet import read_parquet
from pipeline.recommend.service.journal import HeldPhoto, Journal, Post
from tests.support.fake_flickr import KEY
from tests.support.fake_recommender import photo_of
from tests.support.keyword_files import write_photo
from tests.support.zygote import Outcome, Request

ROOT = Path(__file__).parents[2]
DETECTOR = ROOT / "pipeline/sources/sample/detector.pt"
QUIET = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "NUMBA_NUM_THREADS"), "1")
"""Variables without which libraries start threads when they are imported, which a fork would lose."""
MODELS = {"popular": {"kind": "popular", "features": "none"}, "fm-ic": {"kind": "fm", "features": "image"}}
TEMPORARIES = re.compile(r"\..*\.(tmp|keywords-new)")
PHOTOS = 18
"""Photos to suggest tags for: enough for their vectors to be kept."""


@dataclass(frozen=True)
class Example:
    """A command that runs on the project."""

    command: str
    before: Sequence[str] = ()
    """Commands that must have run."""
    until: str = ""
    """The words on standard output after which it is interrupted, where it runs until then."""


WRITE = "tagrec suggest photos/00.jpg photos/01.jpg --user WHO --top 2 --write"
EXAMPLES: Mapping[str, Sequence[Example]] = {
    "accepted": [Example("tagrec accepted --csv out/posts.csv --photos out/photos --journal accepted.sqlite")],
    "begin": [Example("tagrec begin own"), Example("tagrec begin posts.csv")],
    "bundle": [Example("tagrec bundle --user WHO --output out/alone")],
    "check": [Example("tagrec check")],
    "choose": [Example("tagrec choose nus-wide-1")],
    "compare": [Example("tagrec compare --output out/board.txt --html out/board.html")],
    "prefetch": [Example("tagrec prefetch")],
    "results": [Example("tagrec results")],
    "serve": [Example("tagrec serve --port 0 --journal out/served.sqlite", until="Open ")],
    "suggest": [
        Example("tagrec suggest photos --user WHO --format csv --output out/tags.csv"),
        Example(f"{WRITE} sidecar"),
        Example(f"{WRITE} file"),
    ],
    "undo": [Example("tagrec undo", before=[f"{WRITE} sidecar", f"{WRITE} file"])],
}
"""For each command of `tagrec`, how it is called in the project, WHO being one of its users."""


@dataclass(frozen=True)
class Project:
    """A folder with the project's results, and the process that runs its stages and commands."""

    folder: Path
    runner: "Runner"

    def run(self, command: str, **request: object) -> Outcome:
        """Runs a command in the folder."""
        return self.runner.run(Request(command.split(), str(self.folder), **request))

    def contents(self) -> dict[str, str]:
        """The SHA-256 of all results, by path."""
        files = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        names = {path: str(path.relative_to(self.folder)) for path in files}
        kept = {path: name for path, name in names.items() if not re.search(r"^\.|seconds\.js|\.sqlite", name)}
        return {name: hashlib.sha256(path.read_bytes()).hexdigest() for path, name in kept.items()}

    def state(self) -> int:
        """A hash of all files, but for the process that wrote them, and for seconds."""
        files = ((str(path.relative_to(self.folder)), path) for path in self.folder.rglob("*") if path.is_file())
        left = {re.sub(r"\.\d+\.tmp$", ".tmp", name): path for name, path in files if "seconds" not in name}
        kept = ((name, path.read_bytes()) for name, path in left.items())
        return hash(frozenset(kept))

    def prepare(self, commands: Sequence[str], outs: Sequence[str] = ()) -> None:
        """Runs commands, then deletes outputs, as DVC does before it runs their stage."""
        for command in commands:
            done = self.run(command)
            assert done.code == 0, f"{command}: {done.err}"
        for path in (self.folder / name for name in outs):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def user(self) -> str:
        """A user of the project."""
        return read_parquet(self.folder / "artifacts/sample/sample/train.parquet", [USER])[USER].min()

    def temporaries(self) -> list[str]:
        """The files that a run has left half-written, anywhere."""
        found = (path for path in self.folder.rglob("*") if TEMPORARIES.fullmatch(path.name))
        return sorted(str(path.relative_to(self.folder)) for path in found)

    @contextmanager
    def copied(self, to: Path) -> Iterator["Project"]:
        """A copy, for as long as a test needs it."""
        shutil.copytree(self.folder, to, symlinks=True)
        try:
            yield Project(to, self.runner)
        finally:
            shutil.rmtree(to)


class Runner:
    """A process that runs stages and commands, one after another, at the cost of their work alone."""

    def __init__(self, *prefix: str, **environment: str) -> None:
        """Starts the process: with a prefix, as the last arguments of another program."""
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.support.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | QUIET | {"TAGREC_WORKERS": "0", "FLICKR_API_KEY": KEY} | environment,
        )

    def run(self, request: Request) -> Outcome:
        """Runs a command, and waits for its end."""
        self._process.stdin.write(json.dumps(asdict(request)) + "\n")
        self._process.stdin.flush()
        return Outcome(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()


def stages(folder: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Lists the stages in an order in which they run, each with its commands and its outputs, as DVC resolves them."""
    import networkx
    from dvc.repo import Repo

    with Repo(str(folder)) as repo:
        ordered = networkx.dfs_postorder_nodes(repo.index.graph)
        return {
            stage.name: (
                stage.cmd if isinstance(stage.cmd, list) else [stage.cmd],
                [str(Path(out.fs_path).relative_to(folder)) for out in stage.outs],
            )
            for stage in ordered
        }


def build(folder: Path, runner: Runner) -> None:
    """Makes the project and runs all its stages."""
    from dvc.repo import Repo

    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", "--template=", str(folder)], check=True)
    Repo.init(str(folder), no_scm=True).close()
    for name in ("dvc.yaml", ".dvcignore", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "data", folder / "data", ignore=lambda *_: ["table", "folder", "accepted"])
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["sources"]["sample"] |= {"users": 5, "posts": 4}
    params["recipes"]["sample"] = {"refine": [{"keep": "core", "user": 2, "tag": 2}], "split": {"test_posts": 1}}
    params["seeds"] = 2
    params["extractors"]["image"] |= {"backbone": "squeezenet1_1", "input_size": 64}
    params["extractors"]["objects"] |= {"detector": str(DETECTOR), "input_size": 64}
    params["training"] |= {"factors": 4, "epochs": 2, "curve_every": 1}
    params["tuning"] |= {"grid": {"l2": [0.0, 1e-4]}, "folds": 1}
    params["models"] = MODELS
    params["report"] |= {"resamples": 20, "examples": 1}
    params["bundle"]["model"] = "fm-ic"  # So that its bundle has a network.
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(params, file)
    project = Project(folder, runner)
    for name, (commands, _) in stages(folder).items():
        for command in commands:
            done = project.run(command)
            assert done.code == 0, f"{name}: {done.err}"
            assert not done.unseen, f"{name}: {done.unseen} are written by a library, so that tests see no failure"
    shutil.rmtree(folder / ".work")
    add_material(folder)


def add_material(folder: Path) -> None:
    """Adds what commands work on: photos, some with keywords, a table, and a journal of accepted posts."""
    (folder / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(PHOTOS):
        Image.fromarray(rng.integers(0, 255, (80, 80, 3), np.uint8)).save(folder / f"photos/{number:02}.jpg")
    words = ["sea", "beach", "sand"]
    for number in range(24):
        write_photo(folder / f"own/{number:02}.jpg", {"Xmp.dc.subject": words[: 2 + number % 2]})
    rows = [f"u{number % 3},own/{number:02}.jpg,{' '.join(words[: 2 + number % 2])}" for number in range(24)]
    (folder / "posts.csv").write_text("\n".join(["user,photo,tags", *rows, ""]), encoding="utf-8")
    with Journal.open(folder / "accepted.sqlite", "networks") as journal:
        for number in range(3):
            photo = HeldPhoto(str(number) * 64, photo_of("red"), {"colour": np.ones(2, np.float32)})
            journal.accept(Post(str(number), "ann", photo.hash, "", ("sea",)), photo)
