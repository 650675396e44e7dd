"""The first line of every docstring says in a few words what a thing is or does, and is not a riddle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("pipeline", "project", "commands", "stages", "scripts", "benchmarks")
FILES = [ROOT / "tagrec.py", *sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))]
RIDDLES = ("What", "How", "Whether")
LONGEST = 20
"""Words of a first line, at most."""


def docstrings(code: str) -> Iterator[tuple[int, str]]:
    """Yields line and text of the docstrings of modules, classes and functions, and of strings after assignments."""
    for node in ast.walk(ast.parse(code)):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for before, statement in zip([None, *body], body, strict=False):
            match before, statement:
                case (None | ast.Assign() | ast.AnnAssign(), ast.Expr(value=ast.Constant(value=str(text)))):
                    yield statement.lineno, text


def faults(code: str) -> list[str]:
    """Lists the docstrings whose first line is a riddle or too long."""
    found = []
    for line, text in docstrings(code):
        first, *others = text.strip().partition("\n")[0].split()
        if first in RIDDLES:
            found.append(f"line {line} begins with {first}")
        if len(others) >= LONGEST:
            found.append(f"line {line} has {1 + len(others)} words")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_first_lines_are_short_and_no_riddles(file):
    assert faults(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "code",
    [
        '"""How photos are packed."""',
        'class Store:\n    """What models read."""',
        'def load():\n    """Whether it is there."""',
        'async def load():\n    """What it loads."""',
        'K = "k"\n"""How many suggestions count."""',
        'class Store:\n    path: Path\n    """What is read."""',
        f'def load():\n    """Loads {"a " * 19}file."""',
    ],
)
def test_a_fault_is_found_wherever_it_stands(code):
    assert len(faults(code)) == 1


@pytest.mark.parametrize(
    "code",
    [
        f'def load():\n    """Loads {"a " * 18}file."""',
        'def load():\n    """Loads a file.\n\n    What it holds is a table.\n    """',
        'K = "How many suggestions count."',
    ],
)
def test_twenty_words_and_later_lines_are_no_fault(code):
    assert faults(code) == []
