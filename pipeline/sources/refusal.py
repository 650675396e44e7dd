"""The sentence for a setting of a source that cannot be used."""

from collections.abc import Sequence

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from pipeline.errors import InputError, SettingError
from pipeline.expected import expected
from pipeline.words import did_you_mean


def refusal(errors: Sequence[ErrorDetails], settings: type[BaseModel]) -> InputError:
    """Returns the first of pydantic's errors on settings: one that is unknown, or a value with what it must be."""
    first, *others = errors
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    if not first["loc"]:  # A fault of several settings together.
        return InputError(f"{message}.")
    name, value = str(first["loc"][0]), first["input"]
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
        known = settings.model_fields
        return SettingError(name, f"is not known; the settings are {', '.join(known)}{did_you_mean(name, known)}")
    same = [each for each in (first, *others) if each["loc"][:1] == first["loc"][:1] and each["input"] is value]
    words = list(dict.fromkeys(filter(None, map(expected, same))))
    if not words:
        return SettingError(name, f"is {value!r}: {message}.")
    example = f", such as [{value}]" if first["type"] == "list_type" and isinstance(value, str) else ""
    return SettingError(name, f"is {value!r}; it must be {' or '.join(words)}{example}.")
