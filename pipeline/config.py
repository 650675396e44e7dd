"""The base of every typed configuration."""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Tag


class Config(BaseModel):
    """A frozen configuration that refuses unknown keys and coerces nothing: `"3"` is not 3.

    Each field has a sentence in its description. Fields that change a result have no default: a configuration states
    all of them, so that a change of any is visible.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


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
