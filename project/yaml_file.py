"""Safe reading of a YAML file of plain values: text, numbers, lists and sections, of bounded size."""

import re
from itertools import accumulate, chain
from math import inf
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node
from ruamel.yaml.reader import ReaderError

from pipeline.errors import InputError

MAX_BYTES = 1 << 20
"""Bytes of a file, at most."""
MAX_DEPTH = 100
"""Brackets that may be open at once, at most."""
MAX_VALUES = 100_000
"""Values in a file, at most; those of an alias count at each use."""

TAG = "tag:yaml.org,2002:"
PLAIN_TYPES = ("null", "bool", "int", "float", "str", "seq", "map")
"""YAML's names for the types of plain values."""

WRONG_TYPE = "the value does not suit its tag (!), or is too long: write plain text, numbers, lists and sections"
UNHASHABLE = "a list or a section cannot be a key"
MESSAGES = {
    "<document start>|another document|single document|document separator|document end": "more follows after the end "
    "of the document: indent all lines alike",
    "undefined alias": "an alias (*) refers to an anchor (&) that does not exist",
    "duplicate anchor": "two anchors (&) have the same name",
    r"'\\t'": "a tab is used for indentation: use spaces",
    "cannot start": "the text begins with a character that YAML reserves: put it in quotation marks",
    "end of stream": "a quotation mark is never closed",
    "escape": "a backslash in double quotation marks begins an unknown escape: use single quotation marks",
    "values are not allowed": "a colon is not allowed here: look at the line above, and quote text with a colon",
    "could not find expected ':'": "a colon is missing after a key",
    r"or [']|unclosed|node content|unexpected ':'|found '[\]},]": "a bracket or a comma is missing, or there is one "
    "too many",
    "unhashable": UNHASHABLE,
    "merging": "the key << needs the alias (*) of a section, or a list of aliases",
    "determine a constructor": WRONG_TYPE,
    "<block end>|not allowed|intendation|indented": "the line is not indented like those above it",
}
"""Messages by pattern of the problem that the YAML library reports; the first that matches is used."""


class _TooManyValuesError(Exception):
    """The error of a file that stands for more than MAX_VALUES values."""


class _PlainConstructor(SafeConstructor):
    """A constructor of plain values, no more than MAX_VALUES; a date stays text."""

    def construct_document(self, node: Node) -> Any:
        if _size(node, {}) > MAX_VALUES:
            raise _TooManyValuesError
        return super().construct_document(node)

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (LookupError, TypeError, ValueError):
            raise ConstructorError(None, None, WRONG_TYPE, node.start_mark) from None


_PlainConstructor.yaml_constructors = {
    **{f"{TAG}{name}": SafeConstructor.yaml_constructors[f"{TAG}{name}"] for name in PLAIN_TYPES},
    f"{TAG}timestamp": SafeConstructor.construct_yaml_str,
    None: SafeConstructor.construct_undefined,
}


def read_text(file: Path) -> str:
    """Reads the text of a file of parameters. Raises InputError when there is none."""
    try:
        if file.stat().st_size > MAX_BYTES:
            raise InputError(f"{file} has more than {MAX_BYTES:,} bytes, too many for a file of parameters.")
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(
            f"{file} does not exist: run from the project's folder, or name the file with --params."
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{file} is not in UTF-8: save it in that encoding.") from None


def parse_yaml(text: str, file: Path) -> dict[str, Any]:
    """Parses the mapping in the text of a YAML file. Raises InputError when there is none."""
    # Before parsing, because its time grows with the square of the depth of brackets.
    if max(accumulate((sign in "[{") - (sign in "]}") for sign in text), default=0) > MAX_DEPTH:
        raise InputError(f"{file} is nested too deeply: restore it from git.")
    # YAML 1.2, as DVC reads it: 1e-2 is a number there, a string in YAML 1.1.
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _PlainConstructor
    try:
        raw = yaml.load(text)
    except YAMLError as error:
        raise InputError(f"{file} is not YAML; {_explain(error, text)}.") from None
    except RecursionError:
        raise InputError(f"{file} is nested too deeply: restore it from git.") from None
    except _TooManyValuesError:
        raise InputError(
            f"{file} has more than {MAX_VALUES:,} values, or a cycle of them: restore it from git."
        ) from None
    except TypeError:  # For a key that contains a list, the library reports no place.
        raise InputError(f"{file} is not YAML; {UNHASHABLE}.") from None
    if not isinstance(raw, dict):
        raise InputError(f"{file} holds no mapping of keys to values: restore it from git.")
    return raw


def _size(node: Node, sizes: dict[int, float]) -> float:
    """Counts the values that a node stands for, those of an alias at each use; infinite for a cycle.

    They are not made yet: a few lines of aliases, or of merged sections, can stand for values without end.
    """
    if id(node) not in sizes:
        sizes[id(node)] = inf  # Of a node that contains itself.
        children = node.value if isinstance(node, CollectionNode) else []
        parts = chain.from_iterable(children) if isinstance(node, MappingNode) else children
        sizes[id(node)] = 1 + sum(_size(part, sizes) for part in parts)
    return sizes[id(node)]


def _explain(error: YAMLError, text: str) -> str:
    """Returns the place of a syntax error, with a description."""
    if isinstance(error, ReaderError):
        before = text[: error.position]
        place = before.count("\n") + 1, len(before) - before.rfind("\n")
        return f"line {place[0]}, column {place[1]}: a control character (U+{error.character:04X}) is not allowed"
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return "it cannot be read"
    place = f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
    return f"{place}: {_problem(error)}"


def _problem(error: MarkedYAMLError) -> str:
    problem = error.problem or ""
    if isinstance(error, DuplicateKeyError):
        return f"the key {problem.split(chr(34))[1][:80]} occurs twice"
    if problem == WRONG_TYPE:
        return problem
    matching = (message for pattern, message in MESSAGES.items() if re.search(pattern, problem))
    return next(matching, "no key or value can be read from here on")
