"""The schema spells the columns, and no other code does."""

import ast
from pathlib import Path

import pytest

from pipeline.data import schema

ROOT = Path(__file__).parents[2]
COLUMNS = {value for name, value in vars(schema).items() if name.isupper() and isinstance(value, str)}
COLUMNS -= {schema.TRAIN, schema.TEST}  # Values of a column.
OTHERS = {
    "commands/begin.py": {"tags"},  # How many there are.
    "pipeline/features/networks/ultralytics/detector.py": {"scores"},  # An output of the library's networks.
    "pipeline/folksonomy/folksonomy.py": {"tags"},  # How many there are.
    "pipeline/folksonomy/refine.py": {"tags"},  # As above.
    "pipeline/folksonomy/stats.py": {"tags"},  # As above, in Table 2.
    "pipeline/keywords/sidecars.py": {"tags", "latitude", "longitude"},  # Keys of Hydrus' and Google's JSON.
    "pipeline/sources/corpus/yfcc.py": {"latitude", "longitude"},  # Columns of the published database.
    "pipeline/sources/folder/recognise.py": {"time", "user"},  # Settings.
    "pipeline/sources/flickr/listing.py": {"photo", "user"},  # Objects in Flickr's answers.
    "pipeline/sources/nus_wide/published.py": {"tags"},  # How many there are.
    "pipeline/sources/sample/words.py": {"time"},  # A word of the simulated users.
}
"""Files in which a string that looks like a column means something else."""
FILES = [
    file
    for folder in ("pipeline", "stages", "project", "commands")
    for file in sorted((ROOT / folder).rglob("*.py"))
    if (ROOT / "pipeline/data") not in file.parents
]


def literals(tree: ast.AST) -> list[tuple[int, str]]:
    """Strings and keyword arguments of `agg`, `select` and `with_columns` that spell a column, with their lines."""
    found = [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"agg", "select", "with_columns"}:
            found += [(call.lineno, keyword.arg) for keyword in call.keywords]
    return [(line, value) for line, value in found if value in COLUMNS]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_column_is_spelled_outside_the_schema(file):
    others = OTHERS.get(str(file.relative_to(ROOT)), set())
    found = literals(ast.parse(file.read_text(encoding="utf-8")))
    assert [(line, value) for line, value in found if value not in others] == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('posts["photo"]', ["photo"]),
        ("posts.agg(tags=pl.len())", ["tags"]),
        ("posts[PHOTO]", []),
        ('"""photo"""', ["photo"]),
        ('"a photo"', []),
    ],
)
def test_the_test_sees_what_it_looks_for(code, found):
    assert [value for _, value in literals(ast.parse(code))] == found
