"""Changes of values in the text of params.yaml, which leave every other line and all comments as they are."""

import io
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter

from pipeline.errors import InputError


class _Representer(RoundTripRepresenter):
    """A writer of YAML that spells out null. A class of its own: representers are shared by a class's users."""


_Representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))


def edit(
    text: str, values: Mapping[str, Any], add: bool = False, drop: Collection[str] = ()
) -> tuple[str, dict[str, Any]]:
    """Returns the text with values at dotted keys, and the values that are new, by key.

    drop: dotted keys that go, with the comments inside them. A value that is a mapping replaces the section. All other
    comments stay, in their columns. Raises InputError for a key whose section the text lacks and, unless they may be
    added, for a key that is not there.
    """
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.Representer = _Representer
    before = yaml.load(text)
    cleared = [key for key, value in values.items() if value == {} and _place(before, key, add)[0].get(key)]
    params = yaml.load(_without(text, before, drop, cleared))
    changed = {key: value for key, value in values.items() if _set(params, key, value, add) or key in cleared}
    for key in drop:
        section, name = _place(params, key, add=True)
        section.pop(name, None)
    if not changed and not drop:
        return text, {}
    stream = io.StringIO()
    yaml.dump(params, stream)
    return stream.getvalue(), changed


def leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the values in nested mappings by their dotted keys."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def shown(values: Mapping[str, Any]) -> list[str]:
    """Writes values by their keys, each in a line and as YAML has it."""
    return [f"{key}: {_in_line(value)}" for key, value in values.items()]


def _in_line(value: Any) -> str:
    yaml = YAML()
    yaml.default_flow_style, yaml.width = True, 4096
    yaml.Representer = _Representer
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue().removesuffix("...\n").strip()


def _without(text: str, params: CommentedMap, drop: Collection[str], cleared: Collection[str]) -> str:
    """Returns the text without some keys, and with {} at others; comments below their last line stay.

    ruamel.yaml would drop these, because it holds them with the value above.
    """
    lines = text.split("\n")
    gone: set[int] = set()
    for key in (*drop, *cleared):
        section, name = _place(params, key, add=False)
        whole = key in drop and {f"{key.removesuffix(name)}{each}" for each in section} <= set(drop)
        if section.fa.flow_style() or whole or not (key in drop or isinstance(section[name], CommentedMap)):
            continue
        start, indent = section.lc.key(name)
        last = start
        for number in range(start + 1, len(lines)):
            bare = lines[number].lstrip()
            if bare and not bare.startswith("#"):
                if len(lines[number]) - len(bare) <= indent and bare[0] not in "]}":
                    break
                last = number
        if key in drop:
            gone.add(start)
        elif last > start:
            head, colon, rest = lines[start].partition(":")
            lines[start] = f"{head}{colon} {{}}{rest[3:] if rest.startswith('    ') else rest}"
        gone.update(range(start + 1, last + 1))
    return "\n".join(line for number, line in enumerate(lines) if number not in gone)


def _set(params: CommentedMap, key: str, value: Any, add: bool) -> bool:
    """Sets the value at a dotted key. Returns False when it stands there already."""
    section, name = _place(params, key, add)
    if name in section and section[name] == value:
        return False
    section[name] = _styled(value, block=isinstance(section.get(name), CommentedMap))
    return True


def _styled(value: Any, block: bool = False) -> Any:
    """Returns a value as the file writes it: plain values in one line, unless they are to be a block."""
    if isinstance(value, Mapping):
        styled = CommentedMap({key: _styled(each) for key, each in value.items()})
    elif isinstance(value, list):
        styled = CommentedSeq(map(_styled, value))
    else:
        return value
    parts = value.values() if isinstance(value, Mapping) else value
    if not block and not any(isinstance(part, Mapping | list) for part in parts):
        styled.fa.set_flow_style()
    return styled


def _place(params: CommentedMap, key: str, add: bool) -> tuple[CommentedMap, str]:
    """Finds the section of a dotted key, and the key's name in there."""
    *sections, name = key.split(".")
    section = params
    for each in sections:
        section = section.get(each) if isinstance(section, CommentedMap) else None
    if not isinstance(section, CommentedMap) or (name not in section and not add):
        raise InputError(f"params.yaml has no key {key}: restore it from git, or set it by hand.")
    return section, name
