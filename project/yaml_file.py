"""Reading of a YAML file of plain values: text, numbers, lists and sections, and nothing that runs or never ends."""

import re
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node
from ruamel.yaml.reader import ReaderError

from pipeline.errors import InputError

LARGEST = 1 << 20
"""Bytes of a file, at most."""
DEEPEST = 100
"""Brackets that may be open at once, at most."""
MOST = 100_000
"""Values in a file, at most, those of an alias counted wherever it stands."""

TAG = "tag:yaml.org,2002:"
PLAIN = ("null", "bool", "int", "float", "str", "seq", "map")
"""YAML's names for the types of plain values."""

UNFIT = "the value is none that its tag (!) asks for, or too long: write plain text, numbers, lists and sections"
UNHASHABLE = "a list or a section cannot be a key"
SENTENCES = {
    "<document start>|another document|single document|document separator|document end": "the file ends with the lines "
    "above, and more follows: indent all lines alike",
    "undefined alias": "an alias (*) names what no anchor (&) is called",
    "duplicate anchor": "two anchors (&) have one name",
    r"'\\t'": "a tab stands where blanks indent",
    "cannot start": "a character stands there that YAML keeps for itself: put the text in quotation marks",
    "end of stream": "quotation marks are opened, and not closed",
    "escape": "a backslash in double quotation marks begins an escape that does not exist: use single ones",
    "values are not allowed": "a colon stands where none can be: look at the line above, and quote text with a colon",
    "could not find expected ':'": "a colon is missing after a key",
    r"or [']|unclosed|node content|unexpected ':'|found '[\]},]": "a bracket, or a comma between brackets, is missing "
    "or one too many",
    "unhashable": UNHASHABLE,
    "merging": "the key << takes a section by its alias (*), or a list of some",
    "determine a constructor": UNFIT,
    "<block end>|not allowed|intendation|indented": "the line is indented unlike those above it",
}
"""Sentences by patterns of the problem that the YAML library reports; the first that matches counts."""


class _PlainConstructor(SafeConstructor):
    """A constructor of plain values; a date stays text."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (LookupError, TypeError, ValueError):
            raise ConstructorError(None, None, UNFIT, node.start_mark) from None


_PlainConstructor.yaml_constructors = {
    **{f"{TAG}{name}": SafeConstructor.yaml_constructors[f"{TAG}{name}"] for name in PLAIN},
    f"{TAG}timestamp": SafeConstructor.construct_yaml_str,
    None: SafeConstructor.construct_undefined,
}


def read_text(file: Path) -> str:
    """Reads the text of a file of parameters. Raises InputError when there is none."""
    try:
        if file.stat().st_size > LARGEST:
            raise InputError(f"{file} has more than {LARGEST:,} bytes, and is no file of parameters.")
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(
            f"{file} does not exist: run from the project's folder, or name the file by --params."
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{file} is not in UTF-8: save it in that encoding.") from None


def parse_yaml(text: str, file: Path) -> dict[str, Any]:
    """Parses the mapping in the text of a YAML file. Raises InputError when there is none."""
    # Before it is parsed: the time that brackets take grows with the square of their depth.
    if max(accumulate((sign in "[{") - (sign in "]}") for sign in text), default=0) > DEEPEST:
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
    except TypeError:  # A key that holds a list is found out too late for a place.
        raise InputError(f"{file} is not YAML; {UNHASHABLE}.") from None
    if not isinstance(raw, dict):
        raise InputError(f"{file} holds no mapping of keys to values: restore it from git.")
    if not _is_bounded(raw):
        raise InputError(f"{file} has more than {MOST:,} values, or one that holds itself: restore it from git.")
    return raw


def _is_bounded(raw: Any) -> bool:
    """Counts nested values up to MOST, for aliases can make few lines endless."""
    left, seen = [raw], 0
    while left and seen <= MOST:
        value = left.pop()
        seen += 1
        left.extend(value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ())
    return not left


def _explain(error: YAMLError, text: str) -> str:
    """Returns the place of a fault in a YAML file, and what is wrong there."""
    if isinstance(error, ReaderError):
        before = text[: error.position]
        place = before.count("\n") + 1, len(before) - before.rfind("\n")
        return f"line {place[0]}, column {place[1]}: a character without a form (U+{error.character:04X}) stands there"
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return "it cannot be read"
    place = f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
    return f"{place}: {_fault(error)}"


def _fault(error: MarkedYAMLError) -> str:
    problem = error.problem or ""
    if isinstance(error, DuplicateKeyError):
        return f"the key {problem.split(chr(34))[1][:80]} is there twice"
    if problem == UNFIT:
        return problem
    matching = (sentence for pattern, sentence in SENTENCES.items() if re.search(pattern, problem))
    return next(matching, "no value or key can be read from there on")
