"""Words for values that pydantic refuses, for messages to people."""

from collections.abc import Mapping
from typing import Any

EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping of names to values",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "int_type": "a whole number",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "list_type": "a list",
    "literal_error": "{expected}",
    "multiple_of": "a multiple of {multiple_of}",
    "none_required": "null",
    "string_pattern_mismatch": "text of the form {pattern}",
    "string_too_long": "text of at most {max_length:,} characters",
    "string_too_short": "text that is not empty",
    "string_type": "text",
    "string_unicode": "valid Unicode text",
    "too_long": "a list of at most {max_length:,} entries",
    "too_short": "a list that is not empty",
    "tuple_type": "a list",
}
"""Descriptions of a valid value, by pydantic's type of error; names in braces are from its context."""


def expected(error: Mapping[str, Any]) -> str | None:
    """Describes the value that would have been valid; None for an error that has no such words."""
    words = EXPECTED.get(error["type"])
    return words and words.format_map(error.get("ctx", {}))
