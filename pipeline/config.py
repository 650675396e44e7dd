"""The base of every typed configuration."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, field_validator
from pydantic_core import PydanticKnownError

INT64_END = 2**63
"""The least whole number that does not fit into arrays, tables and seeds, which have 64 bits."""

UNWRITABLE = re.compile("[\0\ud800-\udfff]")
"""NUL, which ends the name of a file, and surrogates, which UTF-8 cannot encode."""


class Config(BaseModel):
    """A frozen configuration that refuses unknown keys and coerces nothing: `"3"` is not 3.

    Each field has a sentence in its description. Fields that change a result have no default: a configuration states
    all of them, so that a change of any is visible.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _is_storable(cls, value: Any) -> Any:
        """Refuses whole numbers beyond 64 bits, and text that cannot be written to a file."""
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, int) and abs(each) >= INT64_END:
                raise PydanticKnownError("less_than", {"lt": INT64_END})
            if isinstance(each, str) and UNWRITABLE.search(each):
                raise ValueError("it has a character that cannot be written to a file: NUL, or a lone surrogate")
        return value


def union_of(classes: Iterable[type[Config]], matches: Callable[[type[Config], Mapping], bool], choices: str) -> Any:
    """Builds the union of configurations that have no field `kind` to distinguish them.

    matches: decides whether a mapping is meant for a class. choices: the sentence for a value that is meant for none.
    """
    classes = tuple(classes)

    def tag(value: object) -> str | None:
        if isinstance(value, Config):
            return type(value).__name__
        if not isinstance(value, Mapping):
            return None
        return next((each.__name__ for each in classes if matches(each, value)), None)

    members = tuple(Annotated[each, Tag(each.__name__)] for each in classes)
    return Annotated[
        reduce(or_, members), Discriminator(tag, custom_error_type="unknown_choice", custom_error_message=choices)
    ]
