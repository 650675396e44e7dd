"""The imports between the project's own files, read from their source."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOMS = ("pipeline", "project", "stages", "commands", "tagrec")


def imports(file: Path, root: Path) -> set[Path]:
    """Finds the files under `root` that a file imports, inside functions too, but not for type checking only."""
    found = set()
    for node in _nodes(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            # What is imported from a package may be a module in it.
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if _file(name, root) else node.module for name in modules]
        else:
            continue
        found |= {path for name in names if (path := _file(name, root))}
    return found


def _file(module: str, root: Path) -> Path | None:
    """Returns the file of a module of ours, of a package its __init__.py."""
    if module.partition(".")[0] not in ROOMS:
        return None
    path = root.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Walks a tree, without the blocks that only type checkers read."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")):
            yield from _nodes(child)
