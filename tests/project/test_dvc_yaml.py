"""dvc.yaml against the code: a stage depends on what it imports, or a change there would go unseen (dvc#9195)."""

import ast
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DVC = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())
PARAMS = YAML(typ="safe").load((ROOT / "params.yaml").read_text())

FRAME = {
    # The frame around a stage and the shape of params.yaml decide no byte of an output: DVC tracks the values, and
    # the schema has no defaults that change a result.
    "stages/__init__.py",
    "project/__init__.py",
    "project/command.py",
    "project/explain.py",
    "project/params.py",
    "project/paths.py",
    "pipeline/__init__.py",
    "pipeline/config.py",
    "pipeline/errors.py",
    "pipeline/progress.py",
    "pipeline/words.py",
}

CHOSEN = {"crawl": "pipeline/sources/registry.py", "refine": "pipeline/folksonomy/steps/registry.py"}
"""Code that a stage runs without importing it: params.yaml chooses from these registries."""


def module_files(name: str) -> set[str]:
    """The files behind a dotted module name of ours: itself and the packages that it lies in."""
    parts = name.split(".")
    found = set()
    for end in range(1, len(parts) + 1):
        path = ROOT.joinpath(*parts[:end])
        for candidate in (path / "__init__.py", path.with_suffix(".py")):
            if candidate.is_file():
                found.add(str(candidate.relative_to(ROOT)))
    return found


@cache
def imports(file: str) -> frozenset[str]:
    """Our own files that a file imports anywhere in it, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.split(".")[0] in {"pipeline", "stages", "project"}:
                found |= module_files(name)
    return frozenset(found)


def closure(file: str) -> set[str]:
    """Returns all our own files that a stage runs, except the frame."""
    seen, waiting = set(), [file]
    while waiting:
        current = waiting.pop()
        if current not in seen and current not in FRAME:
            seen.add(current)
            waiting.extend(imports(current))
    return seen


def has_code(file: str) -> bool:
    """Tells a file with code from one that holds a docstring, or nothing, and so changes no output."""
    body = ast.parse((ROOT / file).read_text()).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


def stages() -> dict[str, dict]:
    return {name: stage.get("do", stage) for name, stage in DVC["stages"].items()}


@pytest.mark.parametrize("name", stages())
def test_a_stage_depends_on_the_code_that_it_runs_and_on_no_other(name):
    stage = stages()[name]
    commands = stage["cmd"] if isinstance(stage["cmd"], list) else [stage["cmd"]]
    needed = set().union(*(closure(command.split()[2].replace(".", "/") + ".py") for command in commands))
    if name in CHOSEN:
        needed |= closure(CHOSEN[name])
    listed = [dep for dep in stage["deps"] if dep.startswith(("pipeline", "stages", "project"))]
    covered = set()
    for dep in listed:
        files = {dep} if dep.endswith(".py") else {file for file in needed if file.startswith(f"{dep}/")}
        assert files & needed, f"{name} depends on {dep} and does not use it"
        covered |= files
    assert not {file for file in needed - covered if has_code(file)}


def keys(node: object) -> set[str]:
    """All keys of nested mappings and lists."""
    if isinstance(node, dict):
        return set(node) | {key for value in node.values() for key in keys(value)}
    return {key for value in node for key in keys(value)} if isinstance(node, list) else set()


def test_no_parameter_has_a_name_that_dvcs_run_cache_ignores():
    """DVC leaves these two out of what it looks a run up by: another value would restore the old value's outputs."""
    assert not keys(PARAMS) & {"size", "nfiles"}


def test_every_dependency_exists():
    for stage in stages().values():
        for dep in stage["deps"]:
            if dep.startswith(("pipeline", "stages", "project")):
                assert (ROOT / dep).exists(), dep


def test_no_code_depends_on_dvc_or_the_command_line():
    for file in (ROOT / "pipeline").rglob("*.py"):
        tree = ast.parse(file.read_text())
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {name.split(".")[0] for name in names} & {"dvc", "typer", "stages"}, file
