"""A clone of the project with a tiny sample, on which `dvc repro` runs for real."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML

from tests.support.warm_repro import WarmRepro

ROOT = Path(__file__).parents[2]
STAGES = ("tune", "train", "evaluate")
STORES = {"store@image", "store@objects", "store@image+objects"}
BLENDS = {"blend@blend"}
MODELS = ("popular", "fm", "fm-ic", "pitf-ic-od")


ONE_PROCESS = """
import json, sys
from importlib import import_module
for module, *arguments in json.loads(sys.argv[1]):
    import_module(module).app(arguments, standalone_mode=False)
"""


class Clone:
    """A clone of the project with parameters of its own."""

    def __init__(self, folder: Path, warm: WarmRepro | None = None):
        """Takes the folder, and the process that runs the pipeline, if that is not to be one of its own each time."""
        self.folder, self.warm = folder, warm

    @classmethod
    def make(cls, folder: Path) -> "Clone":
        """Copies the files in git, except artifacts, into a folder."""
        clone = cls(folder)
        folder.mkdir(exist_ok=True)
        tracked = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        for name in filter(None, tracked.stdout.split("\0")):
            if not name.startswith(("artifacts/", "tests/", "docs/")) and name != "dvc.lock" and (ROOT / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        clone.run("git", "init", "--quiet")
        return clone

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, check=check, capture_output=True, text=True, env=environment(), timeout=500
        )

    def repro(self, *targets: str) -> set[str]:
        """Runs the pipeline as `make repro` does, up to some stages, or the report. Returns the stages that DVC ran."""
        targets = targets or ("report",)
        if self.warm:
            code, self.output = self.warm.run(self.folder, *targets)
        else:
            done = self.run(sys.executable, "-m", "scripts.repro", *targets, check=False)
            code, self.output = done.returncode, done.stdout + done.stderr
        assert code == 0, self.output
        return set(re.findall(r"^Running stage '(.+)':$", self.output, re.MULTILINE))

    def run_anew(self) -> None:
        """Runs all stages from nothing, in DVC's order, in one process, which imports the libraries once."""
        stages = YAML(typ="safe").load((self.folder / "dvc.lock").read_text())["stages"].values()
        shutil.rmtree(self.folder / "artifacts/sample")
        shutil.rmtree(self.folder / ".work")
        listed = [stage["cmd"] if isinstance(stage["cmd"], list) else [stage["cmd"]] for stage in stages]
        commands = [command for of_stage in listed for command in of_stage]
        self.run(sys.executable, "-c", ONE_PROCESS, json.dumps([command.split()[2:] for command in commands]))

    def restored(self) -> set[str]:
        """The stages whose outputs the last `repro` took from DVC's cache."""
        return set(re.findall(r"^Stage '(.+)' is cached", self.output, re.MULTILINE))

    def digests(self) -> dict[str, str]:
        """The SHA-256 of all that DVC keeps of the recipe."""
        root = self.folder / "artifacts/sample/sample"
        files = [path for path in sorted(root.rglob("*")) if path.is_file()]
        files = [path for path in files if path.name not in {".gitignore", "seconds.js"}]
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def killed(self, module: str, when: Callable[[], bool]) -> bool:
        """Starts a stage and kills it, by SIGKILL, as soon as `when` says so; whether that was before its end."""
        process = subprocess.Popen(
            [sys.executable, "-m", *module.split()],
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and not when():
            time.sleep(0.002)
        process.kill()
        return process.wait() == -signal.SIGKILL

    def remove(self, *keys: str) -> None:
        """Removes parameters, named as for `set`."""
        yaml = YAML()
        params = yaml.load((self.folder / "params.yaml").read_text())
        for key in keys:
            section, name = key.split("__")
            del params[section][name]
        with (self.folder / "params.yaml").open("w") as file:
            yaml.dump(params, file)

    def set(self, **changes: object) -> None:
        """Changes parameters; a key is a path joined by `__`, in which `_` stands for itself."""
        yaml = YAML()
        params = yaml.load((self.folder / "params.yaml").read_text())
        for key, value in changes.items():
            *way, last = key.split("__")
            node = params
            for part in way:
                node = node[part]
            node[last] = value
        with (self.folder / "params.yaml").open("w") as file:
            yaml.dump(params, file)


def environment() -> dict[str, str]:
    """Returns the environment of a clone's processes: the code that they run is its own, and compiled once for all."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": ""}


def build_clone(folder: Path) -> None:
    """Makes a clone with a sample of 48 photos, a small backbone and four models, and runs it."""
    clone = Clone.make(folder)
    yaml = YAML()
    params = yaml.load((clone.folder / "params.yaml").read_text())
    params["sources"]["sample"] |= {"users": 8, "posts": 6}
    params["recipes"]["sample"] = {"refine": [{"keep": "core", "user": 2, "tag": 2}], "split": {"test_posts": 1}}
    params["recipes"]["other"] = {"refine": [{"keep": "core", "user": 2, "tag": 3}], "split": {"test_posts": 1}}
    params["extractors"]["image"] |= {"backbone": "squeezenet1_1", "input_size": 64}
    params["extractors"]["objects"]["input_size"] = 128
    params["training"] |= {"factors": 8, "epochs": 3, "curve_every": 1}
    params["tuning"] = {
        "measure": "f1@5",
        "grid": {"l2": [0.0, 1e-4]},
        "eliminate": 3,
        "extend": False,
        "folds": 1,
        "refit": True,
    }
    params["report"] |= {"resamples": 50, "examples": 2}
    params["models"] = {name: params["models"][name] for name in MODELS}
    with (clone.folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)
    ran = clone.repro("report", "bundle")
    assert {"crawl", "refine", "split", "extract@image", "extract@objects", "report", "bundle"} <= ran
    assert {f"{stage}@{model}" for stage in STAGES for model in MODELS} <= ran
