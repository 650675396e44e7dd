"""README and docs/: short enough, complete, and true of the commands, parameters and files that they name."""

import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from project.params import load

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = ("make", "dvc", "tagrec", "python", "ray")


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in some languages."""
    return [text for language, text in FENCE.findall(page.read_text(encoding="utf-8")) if language in languages]


def commands() -> list[str]:
    """Every command line in the pages: in fenced blocks, and in running text between backticks."""
    found = set()
    for page in PAGES:
        for block in blocks(page, "sh", "console"):
            found |= {line.removeprefix("$ ").partition("#")[0].strip() for line in block.splitlines()}
        prose = FENCE.sub("", page.read_text(encoding="utf-8"))
        spans = re.findall(r"`([^`\n]+)`", prose)
        found |= {span for span in spans if span.split()[0] in PROGRAMS and "…" not in span}
    return sorted(filter(None, found))


@cache
def help_of(*command: str) -> str:
    done = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_fits_its_bounds():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert [line for line in lines if len(line) > 100] == []


def test_the_readmes_tree_names_every_file_of_the_library():
    tree = "\n".join(blocks(README, "text"))
    rooms = {path.parent for path in (ROOT / "pipeline").rglob("*.py")}
    assert [str(room) for room in rooms if f"{room.name}/" not in tree] == []
    files = [path for path in (ROOT / "pipeline").rglob("*.py") if path.name != "__init__.py"]
    assert [str(path) for path in files if not re.search(rf"\b{path.stem}\b", tree)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            path, _, anchor = target.partition("#")
            linked = (page.parent / path).resolve() if path else page
            assert linked.exists(), target
            if anchor:
                titles = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("command", commands())
def test_commands_exist_with_the_flags_that_they_are_given(command: str):
    words = [word for word in shlex.split(command) if not re.match(r"^[A-Z_]+=", word)]
    program, *rest = words
    binaries = Path(sys.executable).parent
    if program == "make":
        done = subprocess.run(["make", "-n", *rest], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return
    assert program in PROGRAMS, f"{command} is none of the programs whose commands are checked"
    if program == "python":
        assert rest[0] == "-m"
        run, rest = [sys.executable, "-m", rest[1]], rest[2:]
    else:
        depth = {"tagrec": 1, "ray": 1, "dvc": 2}[program]
        subcommands = [word for word in rest[:depth] if re.fullmatch("[a-z]+", word)]
        if program == "dvc" and subcommands and subcommands[0] in ("repro", "push", "pull", "config"):
            subcommands = subcommands[:1]
        run, rest = [str(binaries / program), *subcommands], rest[len(subcommands) :]
    shown = help_of(*run)
    for flag in rest:
        if flag.startswith("-"):
            assert flag in shown, f"{flag} is not a flag of {' '.join(run)}"


@pytest.mark.parametrize(
    "block", [block for page in PAGES for block in blocks(page, "yaml")], ids=lambda block: block.split("\n")[0]
)
def test_parameters_in_the_pages_are_valid(block: str, tmp_path: Path):
    yaml = YAML(typ="safe", pure=True)
    params, shown = yaml.load(ROOT / "params.yaml"), yaml.load(block)
    merge(params, shown)
    yaml.dump(params, tmp_path / "params.yaml")
    load(tmp_path / "params.yaml")


@pytest.mark.parametrize("command", [command for command in commands() if command.startswith("dvc exp run")])
def test_overrides_in_the_pages_make_valid_parameters(command: str, tmp_path: Path):
    words = shlex.split(command)
    overrides = [value for flag, value in pairwise(words) if flag == "-S"]
    assert overrides
    shutil.copy(ROOT / "params.yaml", tmp_path)
    before = load(tmp_path / "params.yaml")
    apply_overrides(tmp_path / "params.yaml", overrides)
    assert load(tmp_path / "params.yaml") != before


def merge(into: dict, values: dict) -> None:
    """Puts values into nested mappings; an entry with a kind is replaced as a whole."""
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict) and "kind" not in value:
            merge(into[key], value)
        else:
            into[key] = value
