"""Sets source, recipe, extractors and batch in params.yaml, and leaves every other line as it is.

A crawl of several days is stopped, and resumed by an ordinary `dvc repro`: the choice is therefore made in the file,
and not by the overrides of an experiment.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.representer import RoundTripRepresenter

from pipeline.errors import InputError
from pipeline.files import atomic
from project.command import command

FILE = Path(__file__).with_name("choices.yaml")
"""The values that each choice sets, by their keys in params.yaml."""


def choices() -> dict[str, dict[str, Any]]:
    """Reads the choices."""
    return YAML(typ="safe").load(FILE)


class _Representer(RoundTripRepresenter):
    """A writer of YAML that spells out null. A class of its own: representers are shared by a class's users."""


_Representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))


def choose(text: str, choice: str) -> tuple[str, dict[str, Any]]:
    """Returns the text of params.yaml with a choice's values, and those of them that are new, by key.

    Comments stay, in their columns. Raises InputError for a section that the text lacks.
    """
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.Representer = _Representer
    params = yaml.load(text)
    changed = _set(params, choices()[choice], "")
    if not changed:
        return text, {}
    stream = io.StringIO()
    yaml.dump(params, stream)
    return stream.getvalue(), changed


def _set(section: CommentedMap, values: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Sets values in a section and those below it. Returns those that changed, by their dotted keys."""
    changed = {}
    for name, value in values.items():
        if name not in section:
            raise InputError(f"params.yaml has no key {path}{name}: restore it from git, or set it by hand.")
        if isinstance(value, Mapping) and isinstance(section[name], CommentedMap):
            changed |= _set(section[name], value, f"{path}{name}.")
        elif section[name] != value:
            section[name] = changed[f"{path}{name}"] = value
    return changed


def main(choice: Annotated[str, typer.Argument(help="A name in commands/choices.yaml.")], file: Path) -> str:
    if choice not in choices():
        raise InputError(f"{choice!r} is no choice; it must be one of {', '.join(choices())}.")
    text, changed = choose(file.read_text(encoding="utf-8"), choice)
    if changed:
        with atomic(file) as temporary:
            temporary.write_text(text, encoding="utf-8")
    values = ", ".join(f"{key} {'null' if value is None else value}" for key, value in changed.items())
    return f"{file}: {values or f'{choice} is chosen already'}"


app = command(main, stage=False)
