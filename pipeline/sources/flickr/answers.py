"""Parts of Flickr's answers, read from whatever JSON stands in their place."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from pipeline.sources.flickr.names import clean_name

LARGEST_NUMBER = 2**63
"""The bound below which all numbers in an answer lie: ids and times."""


def as_object(value: Any) -> dict[str, Any]:
    """Returns a JSON object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Returns a JSON array; an empty one in place of anything else."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """Returns a JSON string or whole number as stripped text; empty when it cannot be a name."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST_NUMBER:
        value = str(value)
    return clean_name(value) if isinstance(value, str) else ""


def as_number(value: Any) -> int | None:
    """Returns a whole number that a JSON string or number holds; None in place of anything else."""
    text = as_text(value)
    return int(text) if text.isascii() and text.isdigit() and int(text) < LARGEST_NUMBER else None


def as_flag(value: Any) -> bool | None:
    """Returns a JSON boolean, also one written as 0 or 1; None for anything else."""
    return value if isinstance(value, bool) else {0: False, 1: True}.get(as_number(value))


def as_words(value: Any) -> list[str]:
    """Returns the words of a JSON string that can be names: distinct, in their order."""
    words = map(clean_name, value.split()) if isinstance(value, str) else ()
    return list(dict.fromkeys(word for word in words if word))


def milliseconds(date: str) -> int | None:
    """Reads a date such as 2013-09-12 19:37:56, taken as UTC, in ms since 1970; None for what is none.

    An unknown month or day, 00, counts as the first.
    """
    year, month, day = date[:4], date[5:7].replace("00", "01"), date[8:10].replace("00", "01")
    try:
        return 1000 * int(datetime.fromisoformat(f"{year}-{month}-{day}{date[10:]}").replace(tzinfo=UTC).timestamp())
    except (ValueError, OverflowError):
        return None


Object = Annotated[dict[str, Any], BeforeValidator(as_object)]
Text = Annotated[str, BeforeValidator(as_text)]
Number = Annotated[int | None, BeforeValidator(as_number)]
Flag = Annotated[bool | None, BeforeValidator(as_flag)]
Words = Annotated[list[str], BeforeValidator(as_words)]
Plain = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,64}$")]
