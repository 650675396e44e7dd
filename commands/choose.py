"""Sets source, recipe, extractors and batch in params.yaml, and leaves every other line as it is.

A crawl of several days is stopped, and resumed by an ordinary `dvc repro`: the choice is therefore made in the file,
and not by the overrides of an experiment.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML

from pipeline.errors import InputError
from pipeline.files.atomic import atomic
from project.command import command
from project.params_file import edit, leaves, shown

FILE = Path(__file__).with_name("choices.yaml")
"""The values that each choice sets, by their keys in params.yaml."""


def choices() -> dict[str, dict[str, Any]]:
    """Reads the choices."""
    return YAML(typ="safe").load(FILE)


def choose(text: str, choice: str) -> tuple[str, dict[str, Any]]:
    """Returns the text of params.yaml with a choice's values, and those of them that are new, by key.

    Raises InputError for a section that the text lacks.
    """
    return edit(text, dict(leaves(choices()[choice])))


def main(choice: Annotated[str, typer.Argument(help="A name in commands/choices.yaml.")], file: Path) -> str:
    if choice not in choices():
        raise InputError(f"The choice is {choice!r}; it must be one of {', '.join(choices())}.")
    text, changed = choose(file.read_text(encoding="utf-8"), choice)
    if changed:
        with atomic(file) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return f"{file}: {', '.join(shown(changed)) or f'{choice} is chosen already'}"


app = command(main, stage=False)
