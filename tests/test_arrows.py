"""Imports go downwards only, from room to room, and no files import each other in a circle."""

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.imports import ROOMS, imports

ROOT = Path(__file__).parents[1]

FLOORS = [
    {"tagrec"},
    {"commands", "stages"},
    {"project"},
    {"report", "training"},
    {"recommend", "evaluation"},
    {"models"},
    {"sources", "folksonomy", "features"},
    {"keywords"},
    {"data"},
    {"files", "cluster", "proxy"},
    {"seal"},
    {"errors", "config", "expected", "processes", "progress", "words"},
]
"""The rooms from top to bottom. Those on one floor do not import each other."""


def room(file: Path, root: Path) -> str:
    """Returns the room of a file: the folder or file in `pipeline`, or the folder at the root."""
    first, *others = file.relative_to(root).with_suffix("").parts
    return others[0] if first == "pipeline" and others[0] != "__init__" else first


def arrows_up(root: Path) -> list[str]:
    """Lists the imports that lead up, or to another room on the same floor, in words."""
    floors = {name: number for number, names in enumerate(FLOORS) for name in names}
    found = []
    for file, imported in graph(root).items():
        for other in imported:
            here, there = room(file, root), room(other, root)
            if here != there and floors[there] <= floors[here]:
                found.append(f"{file.relative_to(root)} imports {other.relative_to(root)}: {here} is not above {there}")
    return sorted(found)


def circle(root: Path) -> list[str]:
    """Lists the files of a circle of imports; none, if there is no circle."""
    try:
        TopologicalSorter(graph(root)).prepare()
    except CycleError as error:
        return [str(file.relative_to(root)) for file in error.args[1]]
    return []


def graph(root: Path) -> dict[Path, set[Path]]:
    files = [file for name in ROOMS for file in (*(root / name).rglob("*.py"), root / f"{name}.py") if file.is_file()]
    return {file: imports(file, root) for file in files}


def test_every_arrow_points_down():
    assert arrows_up(ROOT) == []


def test_no_files_import_each_other_in_a_circle():
    assert circle(ROOT) == []


@pytest.fixture
def house(tmp_path):
    """A small project without faults."""
    files = {
        "stages/train.py": "from pipeline.training.fit import fit",
        "pipeline/training/fit.py": "from pipeline.models import fm\nimport pipeline.errors",
        "pipeline/models/fm.py": "from pipeline.errors import InputError",
        "pipeline/models/pitf.py": "from pipeline.models.fm import FM",
        "pipeline/report/page.py": "",
        "pipeline/errors.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pipeline.models import fm",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert arrows_up(tmp_path) == circle(tmp_path) == []
    return tmp_path


def test_an_arrow_up_is_found_in_a_function_too(house):
    (house / "pipeline/models/fm.py").write_text("def f():\n    from pipeline.training.fit import fit")
    expected = "pipeline/models/fm.py imports pipeline/training/fit.py: models is not above training"
    assert arrows_up(house) == [expected]


def test_an_arrow_between_rooms_of_one_floor_is_found(house):
    (house / "pipeline/report/page.py").write_text("from pipeline.training import fit")
    (found,) = arrows_up(house)
    assert found.endswith("report is not above training")


def test_a_circle_in_a_room_is_found(house):
    (house / "pipeline/models/fm.py").write_text("from pipeline.models import pitf")
    assert set(circle(house)) == {"pipeline/models/fm.py", "pipeline/models/pitf.py"}
