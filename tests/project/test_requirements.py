"""The pinned packages: the versions of constraints.txt, each file by its SHA-256, and no host."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"^([\w.-]+)==([^\s;\\]+)(.*(?:\n .*)*)", re.MULTILINE)


def name_of(package: str) -> str:
    """The normalised name of a package (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def pins(file: Path) -> dict[str, tuple[str, str]]:
    """The version of each package, and the rest of its entry."""
    return {name_of(name): (version, rest) for name, version, rest in PIN.findall(file.read_text())}


CONSTRAINTS = {name: version for name, (version, _) in pins(ROOT / "constraints.txt").items()}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_all_packages_are_pinned_by_version_and_hash(file):
    found = pins(file)
    assert found
    for name, (version, rest) in found.items():
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", rest), f"{name} has no hash"
        assert version == CONSTRAINTS.get(name, version), name
    entries = [line for line in file.read_text().splitlines() if line and not line.startswith((" ", "#"))]
    assert len(entries) == len(found), "each entry is a pin"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_host_is_named(file):
    assert not re.search(r"://|index-url|find-links", file.read_text())


def test_all_constraints_are_pinned_by_hash():
    assert CONSTRAINTS.keys() <= {name for file in FILES for name in pins(file)}


def test_all_packages_have_a_licence_in_the_docs():
    rows = re.findall(r"^\| ([\w.-]+) \| (\S+) \| (.+) \|$", (ROOT / "docs/licences.md").read_text(), re.MULTILINE)
    listed = {name_of(name): version for name, version, _ in rows}
    installed = {name: version for name, (version, _) in pins(ROOT / "requirements/run.txt").items()}
    assert installed.items() <= listed.items()
