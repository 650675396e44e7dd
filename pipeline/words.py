"""Words for numbers and lists."""

from collections.abc import Sequence


def counted(number: int, things: str) -> str:
    """Returns a number with its noun, which is given in the plural: 1 photo, 2,000 photos, 1 test post."""
    return f"{number:,} {things.removesuffix('s') if number == 1 else things}"


def listed(words: Sequence[str]) -> str:
    """Joins words, at least one, as a sentence lists them: a; a and b; a, b and c."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
