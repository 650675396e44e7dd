"""Words for numbers and lists."""

import difflib
from collections.abc import Iterable, Sequence


def counted(number: int, things: str) -> str:
    """Returns a number with its noun, which is given in the plural: 1 photo, 2,000 photos, 1 test post."""
    return f"{number:,} {things.removesuffix('s') if number == 1 else things}"


def listed(words: Sequence[str]) -> str:
    """Joins words, at least one, as a sentence lists them: a; a and b; a, b and c."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def did_you_mean(value: object, choices: Iterable[object]) -> str:
    """Ends a sentence on an unknown name: with the nearest of the choices as a question, or a full stop."""
    near = difflib.get_close_matches(value, map(str, choices), n=1) if isinstance(value, str) else ()
    return f"; did you mean {near[0]}?" if near else "."
