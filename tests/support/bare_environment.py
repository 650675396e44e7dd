"""An environment with some packages alone, as a process that refuses to import all others."""

import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]

REFUSING = """
import sys
from importlib.metadata import packages_distributions

class Refusing:
    allowed, installed = set(sys.argv.pop(1).split(",")), packages_distributions()

    def find_spec(self, name, path=None, target=None):
        owners = {owner.lower().replace("_", "-") for owner in self.installed.get(name.partition(".")[0], ())}
        if owners and not owners & self.allowed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refusing())
"""
"""Python that refuses the packages of this environment that its first argument does not list."""


def with_dependencies(requirements: Iterable[str]) -> set[str]:
    """Returns the names of the packages that an installation of some requirements brings."""
    found, waiting = set(), [Requirement(line) for line in requirements]
    while waiting:
        requirement = waiting.pop()
        name = re.sub("[-_.]+", "-", requirement.name).lower()
        if name not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            found.add(name)
            waiting += [Requirement(line) for line in requires(name) or ()]
    return found


def run_with_packages(requirements: Iterable[str], code: str, *arguments: str) -> str:
    """Runs Python where only some requirements are installed. Returns what it prints."""
    packages = with_dependencies(requirements) | {"image-tag-recommendation"}
    done = subprocess.run(
        [sys.executable, "-c", REFUSING + code, ",".join(packages), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
