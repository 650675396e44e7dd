"""The library speaks of things: flags, keys of params.yaml, stages and DVC are words of the checkout around it."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "pipeline"
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")
KEYS = [f"{section}.{key}" for section, values in PARAMS.items() if isinstance(values, dict) for key in values]

FOREIGN = re.compile(
    r"(?<![\w-])--[a-z]\w+|\bdvc\b|params\.yaml|\bstages?\b|TAGREC_\w+|\btagrec\b"
    rf"|(?<![\w./])(?:{'|'.join(map(re.escape, KEYS))})(?![\w/])",
    re.IGNORECASE,
)


def words(file: Path) -> Iterator[tuple[int, str]]:
    """Yields what a file says, with line numbers: comments, docstrings and other text; all of what is not Python."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        yield from enumerate(text.splitlines(), start=1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    tree = ast.parse(text)
    # A setting is named by its path inside a configuration of the library, which may be that of a key.
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    fields = {call.args[0] for call in calls if ast.unparse(call.func) == "SettingError"}
    fields |= {given.value for call in calls for given in call.keywords if given.arg == "section"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in fields:
            yield node.lineno, node.value


def foreign_words(file: Path) -> list[str]:
    return [f"{file.name}:{line}: {found[0]}" for line, text in words(file) if (found := FOREIGN.search(text))]


@pytest.mark.parametrize("pattern", ["*.py", "*.j2"])
def test_the_library_speaks_no_foreign_words(pattern):
    assert [word for file in sorted(LIBRARY.rglob(pattern)) for word in foreign_words(file)] == []


@pytest.mark.parametrize(
    "line",
    [
        "# choose --engine local",
        'raise InputError("run `dvc repro`")',
        'f"{path} is in params.yaml"',
        '"""Runs a stage."""',
        '"tuning.grid has no value"',
        "# TAGREC_DEVICE is read",
    ],
)
def test_a_foreign_word_is_found(tmp_path, line):
    file = tmp_path / "file.py"
    file.write_text(f"x = 1\n{line}\n")
    assert len(foreign_words(file)) == 1
